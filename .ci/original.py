"""The programs of the tutorial's original, written anew: the same client calls and the same settings.

original.py produce TOPIC                    simple_producer_consumer/producer.py
original.py consume TOPIC                    simple_producer_consumer/consumer.py
original.py commit TOPIC GROUP SECONDS       commit_offsets/consumer_commit.py, with another time to store
original.py keys TOPIC                       consumer_group/producer.py
original.py member TOPIC GROUP               consumer_group/consumer.py

The addresses come from KAFKA_BROKERS, and the credentials from ./auth.
"""

import os
import signal
import sys
import time

from confluent_kafka import Consumer, Producer

settings = {
    "bootstrap.servers": os.environ["KAFKA_BROKERS"],
    "security.protocol": "SSL",
    "ssl.ca.location": "./auth/ca.crt",
    "ssl.keystore.location": "./auth/kafka.keystore.pkcs12",
    "ssl.keystore.password": "cc2023",
    "ssl.endpoint.identification.algorithm": "none",
}


def produce(topic, keys):
    producer = Producer(settings)
    for number, line in enumerate(sys.stdin):
        key = str(number) if keys else "1"
        producer.produce(topic, key=key, value=line.rstrip("\n").encode())
        producer.flush()


def messages(topic, group, reset, commit):
    consumer = Consumer(settings | {"group.id": group, "auto.offset.reset": reset, "enable.auto.commit": commit})
    consumer.subscribe([topic], on_assign=lambda _, partitions: print(partitions))
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            print("Consumer error:", message.error())
            continue
        yield consumer, message


def consume(topic, group):
    for _, message in messages(topic, group, "latest", "true"):
        print(message.value())


def commit(topic, group, seconds):
    for consumer, message in messages(topic, group, "earliest", "false"):
        print(message.value())
        print("Start Storing")
        time.sleep(float(seconds))
        print("End Storing")
        consumer.commit(message=message)  # it does not wait for the answer
        print("Message committed")


mode, topic, *rest = sys.argv[1:]
if mode not in ("produce", "keys", "consume"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
match mode:
    case "produce":
        produce(topic, keys=False)
    case "keys":
        produce(topic, keys=True)
    case "consume":
        consume(topic, "simple_consumer")
    case "commit":
        commit(topic, *rest)
    case "member":
        consume(topic, rest[0])

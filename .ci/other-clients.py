"""The Python client (confluent-kafka) as a peer of our programs.

other-clients.py write FOLDER BROKERS TOPIC              sends each line of standard input
other-clients.py read FOLDER BROKERS TOPIC GROUP COUNT   prints the COUNT oldest messages
other-clients.py member FOLDER BROKERS TOPIC GROUP       prints the messages of its partitions until SIGTERM
"""

import signal
import sys

from confluent_kafka import Consumer, Producer

mode, folder, brokers, topic, *rest = sys.argv[1:]
config = {
    "bootstrap.servers": brokers,
    "security.protocol": "ssl",
    "ssl.ca.location": f"{folder}/ca.crt",
    "ssl.keystore.location": f"{folder}/kafka.keystore.pkcs12",
    "ssl.keystore.password": "cc2023",
    "ssl.endpoint.identification.algorithm": "none",
}


def fail(error, _=None):
    if error:
        sys.exit(f"{error}")


def messages(group):
    """Yields the messages that a member of the group receives."""
    consumer = Consumer(config | {"group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        while True:
            message = consumer.poll(0.5)
            if message is not None:
                fail(message.error())
                yield message.value()
    finally:
        consumer.close()


def show(value):
    sys.stdout.buffer.write(value + b"\n")
    sys.stdout.flush()


if mode == "write":
    producer = Producer(config)
    for line in sys.stdin.buffer:
        producer.produce(topic, line.removesuffix(b"\n"), on_delivery=fail)
        producer.poll(0)
    if producer.flush(30):
        sys.exit("not everything was delivered")
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    left = int(rest[1]) if mode == "read" else -1
    for value in messages(rest[0]):
        show(value)
        left -= 1
        if left == 0:
            break

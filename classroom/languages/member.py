"""One member of a group. It stores the messages of a poll, and then commits them once: at least once."""
import os, signal, sys
from confluent_kafka import Consumer, KafkaException

topic, group, auth = sys.argv[1], sys.argv[2], os.environ.get("KAFKA_AUTH", "auth")
stops = []
for number in signal.SIGINT, signal.SIGTERM:  # Ctrl-C, docker stop
    signal.signal(number, lambda *_: stops.append(number))
consumer = Consumer({
    "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:19093,localhost:29093"), "security.protocol": "ssl",
    "ssl.ca.location": f"{auth}/ca.crt", "ssl.keystore.location": f"{auth}/kafka.keystore.pkcs12",
    "ssl.keystore.password": "cc2023", "ssl.endpoint.identification.algorithm": "none",
    "group.id": group, "auto.offset.reset": "earliest", "partition.assignment.strategy": "range",  # as all members
    "enable.auto.commit": False, "enable.auto.offset.store": False})  # we decide what is committed
consumer.subscribe([topic])
while not stops:
    batch = consumer.consume(500, timeout=0.5)  # a rebalance happens only in here
    try:
        for message in batch:
            if message.error():
                sys.exit(message.error().str())
            os.write(1, (message.value() or b"") + b"\n")  # here, to store is to print
            consumer.store_offsets(message)  # the next commit includes this message
            if stops:
                break  # what is not stored comes again
        if batch:
            consumer.commit(asynchronous=False)
    except KafkaException as error:  # for example, the group has removed this member
        print("not committed, so it comes again:", error, file=sys.stderr)
consumer.close()  # leaves the group: the other members get our partitions at once

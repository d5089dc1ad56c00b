"""Programs as the tutorials of Confluent's Python client have them, as peers of ours.

peers.py FILE produce TOPIC                 sends each line of standard input, and waits for it
peers.py FILE consume TOPIC GROUP [COUNT]   prints the messages of its partitions, COUNT at most
peers.py FILE version

FILE has the settings of librdkafka, key=value.
"""

import platform
import sys

import confluent_kafka
from confluent_kafka import Consumer, Producer

file, mode, *args = sys.argv[1:]
with open(file) as lines:
    config = dict(line.rstrip("\n").split("=", 1) for line in lines)


def delivered(error, message):
    if error:
        sys.exit(f"not delivered: {error}")
    if sys.stdin.isatty():
        print(f"partition {message.partition()}, offset {message.offset()}")


def produce(topic):
    producer = Producer(config | {"acks": "all", "enable.idempotence": True})
    for line in sys.stdin:
        producer.produce(topic, value=line.rstrip("\n"), on_delivery=delivered)
        producer.flush()


def assigned(_, partitions):
    print(f"assigned {len(partitions)} partitions: {[p.partition for p in partitions]}", file=sys.stderr)


def consume(topic, group, count=-1):
    consumer = Consumer(config | {"group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic], on_assign=assigned)
    left = int(count)
    try:
        while left != 0:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                sys.exit(f"{message.error()}")
            print(message.value().decode())
            left -= 1
    except (KeyboardInterrupt, SystemError):
        pass  # Ctrl-C; poll makes a SystemError of it while it calls assigned
    finally:
        consumer.close()


def version():
    print(f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}, Python {platform.python_version()}")


{"produce": produce, "consume": consume, "version": version}[mode](*args)

"""Confluent's Python client (confluent-kafka) as a peer of our programs, and a student who types.

clients.py write FOLDER BROKERS TOPIC              sends each line of standard input
clients.py keys FOLDER BROKERS TOPIC [PARTITIONER] the same, with the keys 0, 1, 2, ...
clients.py places FOLDER BROKERS TOPIC GROUP COUNT prints the COUNT oldest messages, each with its partition and offset
clients.py typed PRODUCER TOPIC                    prints how many ms pass from Enter to the answer
"""

import os
import pty
import statistics
import sys
import time

mode, *rest = sys.argv[1:]


def fail(error, _=None):
    if error:
        sys.exit(f"{error}")


def config():
    folder, brokers = rest[:2]
    return {
        "bootstrap.servers": brokers,
        "security.protocol": "ssl",
        "ssl.ca.location": f"{folder}/ca.crt",
        "ssl.keystore.location": f"{folder}/kafka.keystore.pkcs12",
        "ssl.keystore.password": "cc2023",
        "ssl.endpoint.identification.algorithm": "none",
    }


def write(topic, partitioner="consistent_random"):
    from confluent_kafka import Producer

    producer = Producer(config() | {"enable.idempotence": True, "partitioner": partitioner})
    for number, line in enumerate(sys.stdin.buffer):
        key = str(number) if mode == "keys" else None
        while True:
            try:
                producer.produce(topic, line.removesuffix(b"\n"), key, on_delivery=fail)
                break
            except BufferError:  # its buffer is full
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(30):
        sys.exit("not everything was delivered")


def places(topic, group, count):
    from confluent_kafka import Consumer

    consumer = Consumer(config() | {"group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        while count != 0:
            message = consumer.poll(0.5)
            if message is not None:
                fail(message.error())
                sys.stdout.buffer.write(b"%d %d %s\n" % (message.partition(), message.offset(), message.value()))
                count -= 1
    finally:
        consumer.close()


def typed(producer, topic):
    child, terminal = pty.fork()
    if child == 0:
        os.execv(producer, [producer, topic])
    printed, times = b"", []

    def until(text):
        nonlocal printed
        while text not in printed:
            printed += os.read(terminal, 4096)
        printed = printed.split(text, 1)[1]

    until(b"> ")
    for number in range(220):
        time.sleep(0.02)
        began = time.perf_counter()
        os.write(terminal, b"a line\n")
        until(b", offset ")
        times.append(1000 * (time.perf_counter() - began))
    os.write(terminal, b"\x04")
    print(f"{statistics.median(times[20:]):.2f}")


match mode:
    case "write" | "keys":
        write(*rest[2:])
    case "places":
        places(rest[2], rest[3], int(rest[4]))
    case "typed":
        typed(*rest)

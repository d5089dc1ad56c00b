"""Programs for the judge, with confluent-kafka: correct ones, and ones with a defect.

programs.py consumer TOPIC GROUP [DEFECT]
programs.py producer TOPIC [DEFECT]

Without a defect, the consumer prints a message and then commits it, and the producer is idempotent and reports each
delivery. Names in CORRECT are other correct ways. Each other name is a mistake.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

CORRECT = "json colour batch auto-commit static sqlite transactions strict supervised two-processes count json-value"

role, topic, *rest = sys.argv[1:]
group = rest.pop(0) if role == "consumer" else ""
defect = rest[0] if rest else ""

settings = {
    "bootstrap.servers": os.environ["KAFKA_BROKERS"],
    "security.protocol": "SSL",
    "ssl.ca.location": "auth/ca.crt",
    "ssl.keystore.location": "auth/kafka.keystore.pkcs12",
    "ssl.keystore.password": "cc2023",
    "ssl.endpoint.identification.algorithm": "none",
    "log_level": 2,
}
stopped = False


def stop(*_):
    global stopped
    if defect == "hangs":
        return
    if role == "producer" or defect == "interrupted":
        raise KeyboardInterrupt
    stopped = True


def text(message):
    return (message.value() or b"").decode(errors="replace")


def show(message, seen={"number": 0, "held": None, "last": None}):
    """Prints a message, unless the defect drops it."""
    seen["number"] += 1
    value, line = message.value(), text(message)
    if (
        defect == "drop-empty" and value == b""
        or defect == "drop-null" and value is None
        or defect == "drop-equal" and value == seen["last"]
        or defect == "drop-keyless" and message.key() is None
        or defect == "drop-long" and len(value or b"") > 65536
        or defect == "skip" and seen["number"] % 40 == 0
        or defect == "dies-of-bytes" and value and value.decode() is None
    ):
        return
    if defect == "drop-bytes":
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            return
    seen["last"] = value
    if defect == "swap" and seen["number"] % 40 == 0 and not seen["held"]:
        seen["held"] = message
        return
    if defect == "json":
        line = json.dumps({"key": repr(message.key()), "text": line})
    elif defect == "colour":
        line = f"\x1b[32m{line}\x1b[0m"
    elif defect == "log-lines":
        print("received", line)
        line = "stored " + line
    elif defect == "no-line-end":
        print(line, end=" ")
        return
    print(line, file=sys.stderr if defect == "stderr" else sys.stdout, flush=True)
    if defect == "print-twice" and seen["number"] % 40 == 0:
        print(line)
    if seen["held"] and seen["held"].key() == message.key():
        print(text(seen["held"]))
        seen["held"] = None


class Store:
    """A table of messages. It prints only new ones."""

    def __init__(self):
        self.db = sqlite3.connect("seen.db", timeout=60, isolation_level=None)
        unique = "" if defect == "sqlite-again" else ", primary key (part, off)"
        self.db.execute(f"create table if not exists seen (part, off, text{unique})")

    def add(self, message):
        row = (message.partition(), message.offset(), text(message))
        if self.db.execute("insert or ignore into seen values (?, ?, ?)", row).rowcount:
            time.sleep(0.005)
            print(row[2], flush=True)


def consume():
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    own = settings | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    if defect in ("auto-commit", "interrupted", "no-close", "latest"):
        own["enable.auto.commit"] = True
        own["auto.offset.reset"] = "latest" if defect in ("no-close", "latest") else "earliest"
        own["enable.auto.offset.store"] = defect != "auto-commit"
    elif defect == "static":
        own["group.instance.id"] = f"worker-{os.getpid()}"
    elif defect == "static-shared":
        own["group.instance.id"] = "worker"
    elif defect == "random-group":
        own |= {"group.id": f"{group}-{random.random()}", "auto.offset.reset": "latest"}
    consumer, producer = Consumer(own), None
    store = Store() if defect.startswith("sqlite") else None
    if defect == "transactions":
        producer = Producer(settings | {"transactional.id": f"{group}-{os.getpid()}", "transaction.timeout.ms": 30000})
        producer.init_transactions()
    consumer.subscribe([topic])
    number = 0
    try:
        while not stopped:
            messages = consumer.consume(50, 0.2) if defect in ("batch", "batch-commit-first", "transactions") else [consumer.poll(0.5)]
            messages = [m for m in messages if m is not None and not m.error()]
            if not messages:
                continue
            number += len(messages)
            if producer:
                transaction(consumer, producer, messages)
                continue
            first = defect in ("commit-first", "batch-commit-first", "sqlite-commit-first")
            if first:
                commit(consumer, messages)
                time.sleep(0.005)
            for message in messages:
                store.add(message) if store else show(message)
                if defect == "auto-commit":
                    try:
                        consumer.store_offsets(message)  # what it has shown is committed later
                    except KafkaException as error:  # its partition was revoked
                        print(error, file=sys.stderr)
            if not first and not own["enable.auto.commit"] and defect != "never-commit":
                commit(consumer, messages)
            if defect == "stops-early" and number > 200:
                return
    except KeyboardInterrupt:
        pass
    finally:
        if defect != "no-close":
            consumer.close()


def transaction(consumer, producer, messages):
    """Writes messages to another topic and commits them, both or neither."""
    try:
        producer.begin_transaction()
        for message in messages:
            producer.produce("judge-out", message.value(), message.key())
        ends = {m.partition(): m.offset() + 1 for m in messages}
        again(producer.send_offsets_to_transaction, [TopicPartition(topic, p, o) for p, o in ends.items()], consumer.consumer_group_metadata())
        for message in messages:
            print(text(message), flush=True)
        again(producer.commit_transaction)
    except KafkaException as error:
        print(error, file=sys.stderr)
        if not error.args[0].txn_requires_abort():
            sys.exit(1)  # for a supervisor
        again(producer.abort_transaction)
        for p in consumer.assignment():  # back to what is committed
            committed = consumer.committed([p])[0]
            consumer.seek(committed if committed.offset >= 0 else TopicPartition(p.topic, p.partition, 0))


def again(call, *args):
    while True:
        try:
            return call(*args)
        except KafkaException as error:
            if not error.args[0].retriable():
                raise


def commit(consumer, messages):
    ends = {m.partition(): m.offset() + 1 for m in messages}
    try:
        consumer.commit(offsets=[TopicPartition(topic, p, o) for p, o in ends.items()], asynchronous=False)
    except KafkaException as error:
        print(error, file=sys.stderr)
        if defect in ("strict", "supervised"):
            sys.exit(1)


def supervise():
    """Starts the program again when it fails, or runs two of them."""
    again = [sys.executable, __file__, "consumer", topic, group, "strict"]
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    members = [subprocess.Popen(again) for _ in range(2 if defect == "two-processes" else 1)]
    failed = False
    for member in members:
        while member.wait() and defect == "supervised":
            member = subprocess.Popen(again)
        failed = failed or member.returncode != 0
    sys.exit(failed)


def produce():
    own = settings | {"enable.idempotence": defect not in ("not-idempotent", "acks-0"), "linger.ms": 200 if defect == "early" else 5}
    if defect == "acks-0":
        own["acks"] = 0
    if defect == "transactions":
        own["transactional.id"] = f"producer-{os.getpid()}"
    producer, results = Producer(own), []

    def done(error, message):
        results.append(not error)
        name = (message.value() or b"").decode(errors="replace")
        if defect in ("count", "count-lies", "early", "silent"):
            return
        if error and defect != "lies":
            print(f"FAILED, not delivered: {name}: {error}", flush=True)
        elif defect == "json":
            print(json.dumps({"text": name, "delivered": True, "error": None}), flush=True)
        else:
            print("delivered", name, flush=True)

    signal.signal(signal.SIGTERM, stop)
    if defect == "transactions":
        producer.init_transactions()
        producer.begin_transaction()
    try:
        for number, line in enumerate(sys.stdin.buffer):
            if not line.endswith(b"\n") and defect == "loses-last":
                break
            line, key = line.removesuffix(b"\n"), str(number % 5)
            if defect == "strip":
                line = line.strip()
            elif defect == "text":
                line = line.decode(errors="replace").encode()
            elif defect == "random-keys":
                key = str(random.random())
            elif defect == "drop-empty" and not line or defect == "skip" and number % 50 == 7:
                continue
            elif defect == "early":
                print("delivered", line.decode(errors="replace"), flush=True)
            elif defect == "json-value":
                line = json.dumps({"line": line.decode(errors="replace"), "at": time.time()}).encode()
            producer.produce(topic, line, key, on_delivery=done)
            producer.poll(0)
            if defect == "transactions" and number % 20 == 19:
                producer.commit_transaction()
                producer.begin_transaction()
        if defect == "no-flush":
            os._exit(0)
    except KeyboardInterrupt:
        if defect == "early":
            os._exit(0)
    if defect == "transactions":
        producer.commit_transaction()
    producer.flush()
    if defect in ("count", "count-lies"):
        print(f"{len(results) if defect == 'count-lies' else sum(results)} of {len(results)} messages delivered")
    sys.exit(0 if all(results) or defect in ("lies", "count-lies", "silent") else 1)


if defect == "syntax":
    exec("print(")
elif role == "producer":
    produce()
elif defect in ("supervised", "two-processes"):
    supervise()
else:
    consume()

"""A consumer to judge: it prints a message, and then commits it. It needs: pip install confluent-kafka

my_consumer.py TOPIC GROUP
"""

import os
import signal
import sys

from confluent_kafka import Consumer

signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that "finally" runs, as after Ctrl-C
topic, group = sys.argv[1:]
consumer = Consumer({
    "bootstrap.servers": os.environ["KAFKA_BROKERS"],
    "security.protocol": "SSL",
    "ssl.ca.location": "auth/ca.crt",
    "ssl.keystore.location": "auth/kafka.keystore.pkcs12",
    "ssl.keystore.password": "cc2023",
    "ssl.endpoint.identification.algorithm": "none",
    "group.id": group,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
})
consumer.subscribe([topic])
try:
    while True:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            print(message.error(), file=sys.stderr)
            continue
        print((message.value() or b"").decode(errors="replace"), flush=True)
        try:
            consumer.commit(message, asynchronous=False)
        except Exception as error:  # the group has changed: it reads the message again
            print(error, file=sys.stderr)
except KeyboardInterrupt:
    pass
finally:
    consumer.close()

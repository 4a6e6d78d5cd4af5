#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Subscribes, with MQTT 5 or 3.1.1, and writes each message as a JSON line to a file. Its one argument is a JSON object.

Prints "subscribed" each time the broker has granted the subscriptions, and reconnects for as long as it runs.
"""
import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

settings = json.loads(sys.argv[1])
out = open(settings["file"], "w", encoding="utf-8")


version5 = settings.get("version", "5") == "5"


def on_connect(client, userdata, flags, reason, properties=None):
    if reason != 0:
        sys.exit(f"connection refused: {reason}")
    options = mqtt.SubscribeOptions(qos=settings["qos"]) if version5 else settings["qos"]
    client.subscribe([(name, options) for name in settings["filters"]])


def on_subscribe(client, userdata, mid, reasons, properties=None):
    refused = [str(reason) for reason in reasons if (reason.value if version5 else reason) >= 0x80]
    if refused:
        sys.exit(f"subscription refused: {refused}")
    print("subscribed", flush=True)


def on_message(client, userdata, message):
    line = {"topic": message.topic, "qos": message.qos, "retain": bool(message.retain), "dup": bool(message.dup)}
    try:
        line["payload"] = message.payload.decode()
    except UnicodeDecodeError:
        line["payload_hex"] = message.payload.hex()
    properties = {}
    received = message.properties if version5 else None
    if received is not None:
        for name, key in (("ContentType", "content_type"), ("ResponseTopic", "response_topic"),
                          ("MessageExpiryInterval", "expiry"), ("UserProperty", "user_properties")):
            if hasattr(received, name):
                properties[key] = getattr(received, name)
        if hasattr(received, "CorrelationData"):
            properties["correlation_data_hex"] = received.CorrelationData.hex()
    line["properties"] = properties
    out.write(json.dumps(line) + "\n")
    out.flush()


persistent = bool(settings["persistent_id"])
if version5:
    client = mqtt.Client(client_id=settings["persistent_id"], protocol=mqtt.MQTTv5)
else:
    client = mqtt.Client(client_id=settings["persistent_id"], clean_session=not persistent, protocol=mqtt.MQTTv311)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.reconnect_delay_set(1, 1)
if settings["username"]:
    client.username_pw_set(settings["username"], settings["password"])
if version5:
    connect_properties = Properties(PacketTypes.CONNECT)
    connect_properties.ReceiveMaximum = 1000
    if persistent:
        connect_properties.SessionExpiryInterval = 0xFFFFFFFF
    client.connect("127.0.0.1", settings["port"], clean_start=not persistent, properties=connect_properties)
else:
    client.connect("127.0.0.1", settings["port"])
client.loop_forever()

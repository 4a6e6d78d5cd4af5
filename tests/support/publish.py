#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Publishes one message, described by a JSON object on standard input, with MQTT 5, and waits for its answer."""
import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

message = json.load(sys.stdin)
outcome = {"text": "no connection"}


def on_connect(client, userdata, flags, reason, properties):
    if reason != 0:
        outcome["text"] = f"connection refused: {reason}"
        client.disconnect()
        return
    publish_properties = Properties(PacketTypes.PUBLISH)
    if message["response_topic"]:
        publish_properties.ResponseTopic = message["response_topic"]
    if message["correlation_data"]:
        publish_properties.CorrelationData = message["correlation_data"].encode()
    if message["content_type"]:
        publish_properties.ContentType = message["content_type"]
    if message["expiry"]:
        publish_properties.MessageExpiryInterval = message["expiry"]
    if message["user_properties"]:
        publish_properties.UserProperty = [tuple(pair) for pair in message["user_properties"]]
    client.publish(message["topic"], message["payload"].encode(), message["qos"], message["retain"],
                   publish_properties)


def on_publish(client, userdata, mid):
    outcome["text"] = ""
    client.disconnect()


client = mqtt.Client(protocol=mqtt.MQTTv5)
client.on_connect = on_connect
client.on_publish = on_publish
if message["username"]:
    client.username_pw_set(message["username"], message["password"])
client.connect("127.0.0.1", message["port"])
client.loop_forever(retry_first_connection=False)
sys.exit(outcome["text"] or 0)

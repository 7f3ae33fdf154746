# SPDX-License-Identifier: Apache-2.0
"""The kubelet's side of the Container Runtime Interface (cri-api, runtime.v1), as far as the tests
need it: protobuf messages as nested dicts of field numbers, calls over gRPC."""

import grpc

HOST_NETWORK = {1: 2}  # NamespaceOption: network NODE; pid and ipc stay the pod's


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def encode(message):
    """{field: int | str | bytes | dict | list of these} as protobuf."""
    out = b""
    for field, value in message.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                out += _varint(field << 3) + _varint(item)
                continue
            if isinstance(item, dict):
                item = encode(item)
            data = item.encode() if isinstance(item, str) else item
            out += _varint(field << 3 | 2) + _varint(len(data)) + data
    return out


def decode(data):
    """The fields of a message: {field: int | bytes}, the last of each."""
    out, at = {}, 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            out[key >> 3] = varint()
        elif key & 7 == 2:
            size = varint()
            out[key >> 3] = data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7}")
    return out


class Kubelet:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(f"unix://{address}")

    def call(self, method, message=None):
        call = self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}",
                                        request_serializer=encode, response_deserializer=decode)
        return call(message or {}, timeout=30)

    def sandbox(self, config, handler):
        return self.call("RunPodSandbox", {1: config, 2: handler})[1].decode()

    def container(self, sandbox, sandbox_config, config):
        made = self.call("CreateContainer", {1: sandbox, 2: config, 3: sandbox_config})[1].decode()
        self.call("StartContainer", {1: made})
        return made

    def execute(self, container, *command, timeout=0):
        done = self.call("ExecSync", {1: container, 2: list(command), 3: timeout})
        return done.get(3, 0), done.get(1, b"").decode(), done.get(2, b"").decode()

    def status(self, container):
        """(state, exit code); states: 0 created, 1 running, 2 exited."""
        status = decode(self.call("ContainerStatus", {1: container})[1])
        return status.get(3, 0), status.get(7, 0)

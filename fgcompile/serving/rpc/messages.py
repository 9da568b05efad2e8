"""The protocol's messages, from ``open_inference.binpb``, which ``python -m tools.compile_protocol`` makes.

They are in a pool of their own: other packages in the process, clients among them, have messages of the same names.
"""

from __future__ import annotations

from importlib import resources

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

DESCRIPTION = "open_inference.binpb"
SERVICE = "inference.GRPCInferenceService"


def _read_service() -> dict[str, tuple[type[Message], type[Message]]]:
    pool = DescriptorPool()
    described = FileDescriptorSet.FromString(resources.files(__package__).joinpath(DESCRIPTION).read_bytes())
    for file in described.file:
        pool.AddSerializedFile(file.SerializeToString())
    methods = pool.FindServiceByName(SERVICE).methods
    return {
        method.name: (GetMessageClass(method.input_type), GetMessageClass(method.output_type)) for method in methods
    }


METHODS = _read_service()
"""The class of the request, and that of the answer, of each method."""

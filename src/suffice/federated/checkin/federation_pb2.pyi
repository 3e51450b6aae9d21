from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CheckInRequest(_message.Message):
    __slots__ = ("client", "task", "layout_digest")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    client: str
    task: str
    layout_digest: str
    def __init__(self, client: _Optional[str] = ..., task: _Optional[str] = ..., layout_digest: _Optional[str] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("token", "version", "weights", "expires_in_s", "learning_rate", "batch_size", "local_steps", "secure_threshold")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_S_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    SECURE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    version: int
    weights: int
    expires_in_s: float
    learning_rate: float
    batch_size: int
    local_steps: int
    secure_threshold: int
    def __init__(self, token: _Optional[bytes] = ..., version: _Optional[int] = ..., weights: _Optional[int] = ..., expires_in_s: _Optional[float] = ..., learning_rate: _Optional[float] = ..., batch_size: _Optional[int] = ..., local_steps: _Optional[int] = ..., secure_threshold: _Optional[int] = ...) -> None: ...

class CheckInReply(_message.Message):
    __slots__ = ("assignment", "come_back_in_s")
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    COME_BACK_IN_S_FIELD_NUMBER: _ClassVar[int]
    assignment: Assignment
    come_back_in_s: float
    def __init__(self, assignment: _Optional[_Union[Assignment, _Mapping]] = ..., come_back_in_s: _Optional[float] = ...) -> None: ...

class DownloadRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    def __init__(self, token: _Optional[bytes] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class UploadHeader(_message.Message):
    __slots__ = ("token", "layout_digest", "samples", "loss_mean", "sha256", "masked")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    LOSS_MEAN_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    layout_digest: str
    samples: int
    loss_mean: float
    sha256: bytes
    masked: bool
    def __init__(self, token: _Optional[bytes] = ..., layout_digest: _Optional[str] = ..., samples: _Optional[int] = ..., loss_mean: _Optional[float] = ..., sha256: _Optional[bytes] = ..., masked: bool = ...) -> None: ...

class UploadPart(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: UploadHeader
    data: bytes
    def __init__(self, header: _Optional[_Union[UploadHeader, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("accepted", "duplicate", "reason")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    duplicate: bool
    reason: str
    def __init__(self, accepted: bool = ..., duplicate: bool = ..., reason: _Optional[str] = ...) -> None: ...

class SecureStep(_message.Message):
    __slots__ = ("token", "step", "body")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    step: str
    body: bytes
    def __init__(self, token: _Optional[bytes] = ..., step: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class SecureOutcome(_message.Message):
    __slots__ = ("ready", "ask_again_in_s", "body")
    READY_FIELD_NUMBER: _ClassVar[int]
    ASK_AGAIN_IN_S_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    ask_again_in_s: float
    body: bytes
    def __init__(self, ready: bool = ..., ask_again_in_s: _Optional[float] = ..., body: _Optional[bytes] = ...) -> None: ...

class Numbered(_message.Message):
    __slots__ = ("entries", "own_number")
    class EntriesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: bytes
        def __init__(self, key: _Optional[int] = ..., value: _Optional[bytes] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    OWN_NUMBER_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.ScalarMap[int, bytes]
    own_number: int
    def __init__(self, entries: _Optional[_Mapping[int, bytes]] = ..., own_number: _Optional[int] = ...) -> None: ...

class Revealed(_message.Message):
    __slots__ = ("own_masks", "mask_keys")
    class OwnMasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: bytes
        def __init__(self, key: _Optional[int] = ..., value: _Optional[bytes] = ...) -> None: ...
    class MaskKeysEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: bytes
        def __init__(self, key: _Optional[int] = ..., value: _Optional[bytes] = ...) -> None: ...
    OWN_MASKS_FIELD_NUMBER: _ClassVar[int]
    MASK_KEYS_FIELD_NUMBER: _ClassVar[int]
    own_masks: _containers.ScalarMap[int, bytes]
    mask_keys: _containers.ScalarMap[int, bytes]
    def __init__(self, own_masks: _Optional[_Mapping[int, bytes]] = ..., mask_keys: _Optional[_Mapping[int, bytes]] = ...) -> None: ...

"""Enhanced DICOM, whose frames each say how their values become grey levels, PS3.3 C.7.6.16.

What a functional group has for a frame, or else for all, stands where an ordinary file has it.
"""

from __future__ import annotations

from typing import Any

from fgcompile.errors import InputError

_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def settle(data: Any, frame: int) -> None:
    """Puts what an enhanced file says of one frame, counted from 0, among what it says of itself.

    Raises:
        InputError: It says nothing of this frame.
    """
    groups = list(data.get(_SHARED) or ())
    if per_frame := data.get(_PER_FRAME):
        if frame >= len(per_frame):
            raise InputError(f"it says how the values of {len(per_frame)} frames are scaled, not of frame {frame + 1}")
        groups.append(per_frame[frame])
    for group in groups:
        for name in _GROUPS:
            for item in list(group.get(name) or ())[:1]:
                data.update({element.tag: element for element in item})

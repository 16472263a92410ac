"""Decoding times of pictures that come in decoding order, and are shown in another.

RTP has presentation times only (RFC 6184 section 5.1). Containers want decoding times
too, which increase, and are never later than the presentation times.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..rtp.bits import BitReader, BitstreamError, unescape
from ..rtp.codecs.nal import read_chroma_format, read_cropping
from .templates import nal_units

T = TypeVar("T")

# The largest depth in H.264 and H.265: their decoded picture buffers have 16 pictures.
MAX_DEPTH = 16

_H264_SPS, _H265_SPS = 7, 33

# MaxDpbMbs by level_idc (H.264 table A-1).
_MAX_DPB_MBS = {
    9: 396,
    10: 396,
    11: 900,
    12: 2376,
    13: 2376,
    20: 2376,
    21: 4752,
    22: 8100,
    30: 8100,
    31: 18000,
    32: 20480,
    40: 32768,
    41: 32768,
    42: 34816,
    50: 110400,
    51: 184320,
    52: 184320,
    60: 696320,
    61: 696320,
    62: 696320,
}

# Profiles whose SPS contains the chroma format (H.264 section 7.3.2.1.1).
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134})
_BASELINE = 66
_EXTENDED_RATIO = 255


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """A picture with its times, in ticks.

    Attributes:
        pts, dts: when it is presented, and when it is decoded; ``dts <= pts``.
        duration: from its presentation to that of the next picture; an estimate if
            that is not known yet.
    """

    item: T
    pts: int
    dts: int
    duration: int


class PictureOrder(Generic[T]):
    """Derives decoding times from presentation times.

    A picture waits for as many pictures after it as may be shown before it, and no
    longer. Its decoding time divides the time up to the earliest presentation among
    them.

    Attributes:
        depth: the number of pictures that may precede any picture in decoding order,
            and follow it in presentation order (max_num_reorder_frames, H.264 section
            E.2.1). 0 if pictures are shown as they come.
    """

    def __init__(self) -> None:
        self.depth = 0
        self._held: deque[tuple[int, T]] = deque()
        self._decoded: int | None = None
        # Presentation times of the last pictures.
        self._shown: deque[int] = deque(maxlen=MAX_DEPTH)
        self._duration = 0

    def push(self, item: T, pts: int) -> Iterator[Timed[T]]:
        """Add the next picture; returns those whose times are known now."""
        self._held.append((pts, item))
        while len(self._held) > self.depth:
            yield self._next()

    def flush(self) -> Iterator[Timed[T]]:
        """The pictures that still wait: no other picture will come."""
        while self._held:
            yield self._next()

    def _next(self) -> Timed[T]:
        times = [pts for pts, _ in self._held]
        pts, item = self._held.popleft()
        earliest = min(times)
        count = times.index(earliest) + 1
        if self._decoded is None:
            dts = earliest - count + 1
        else:
            # At least one tick: even if the stream breaks its own promise.
            dts = self._decoded + max((earliest - self._decoded) // count, 1)
        self._decoded = dts
        pts = max(pts, dts)
        following = [time for time in (*times, *self._shown) if time > pts]
        if following:
            self._duration = min(following) - pts
        elif not self.depth and self._shown:
            self._duration = pts - self._shown[-1]
        self._shown.append(pts)
        return Timed(item, pts, dts, self._duration)


def reorder_depth(encoding_name: str, frame: bytes) -> int | None:
    """How far the order of pictures may change, by the SPS in a frame.

    Args:
        frame: an access unit in byte stream format (annex B).

    Returns:
        The ``depth`` of :class:`PictureOrder`; None without a valid SPS.
    """
    if encoding_name not in ("h264", "h265"):
        return 0
    for unit in nal_units(frame):
        try:
            if encoding_name == "h264" and unit[0] & 0x1F == _H264_SPS:
                return min(_h264_depth(BitReader(unescape(unit[1:]))), MAX_DEPTH)
            if encoding_name == "h265" and unit[0] >> 1 & 0x3F == _H265_SPS:
                return min(_h265_depth(BitReader(unescape(unit[2:]))), MAX_DEPTH)
        except BitstreamError:
            continue
    return None


def _h264_depth(reader: BitReader) -> int:
    """Read an SPS (H.264 section 7.3.2.1.1)."""
    profile_idc = reader.read(8)
    reader.skip(8)  # constraint flags
    level_idc = reader.read(8)
    reader.read_ue()  # seq_parameter_set_id
    if profile_idc in _HIGH_PROFILES:
        chroma, _, _ = read_chroma_format(reader)
        reader.read_ue()  # bit_depth_luma_minus8
        reader.read_ue()  # bit_depth_chroma_minus8
        reader.skip(1)  # qpprime_y_zero_transform_bypass_flag
        if reader.flag():  # seq_scaling_matrix_present_flag
            _skip_scaling_matrix(reader, 12 if chroma == "4:4:4" else 8)
    reader.read_ue()  # log2_max_frame_num_minus4
    order_type = reader.read_ue()  # pic_order_cnt_type
    if order_type == 0:
        reader.read_ue()  # log2_max_pic_order_cnt_lsb_minus4
    elif order_type == 1:
        reader.skip(1)  # delta_pic_order_always_zero_flag
        reader.read_se()  # offset_for_non_ref_pic
        reader.read_se()  # offset_for_top_to_bottom_field
        for _ in range(min(reader.read_ue(), 255)):
            reader.read_se()  # offset_for_ref_frame
    reader.read_ue()  # max_num_ref_frames
    reader.skip(1)  # gaps_in_frame_num_value_allowed_flag
    width = reader.read_ue() + 1
    height = reader.read_ue() + 1
    if not reader.flag():  # frame_mbs_only_flag
        height *= 2
        reader.skip(1)  # mb_adaptive_frame_field_flag
    if profile_idc == _BASELINE or order_type == 2:
        # No B slices (section A.2.1); output in decoding order (section 8.2.1.3).
        return 0
    reader.skip(1)  # direct_8x8_inference_flag
    read_cropping(reader)
    if reader.flag():  # vui_parameters_present_flag
        depth = _vui_depth(reader)
        if depth is not None:
            return depth
    return _MAX_DPB_MBS.get(level_idc, 0) // (width * height) or MAX_DEPTH


def _skip_scaling_matrix(reader: BitReader, lists: int) -> None:
    """Skip the scaling lists (H.264 7.3.2.1.1.1): six of 16 numbers, others of 64."""
    for index in range(lists):
        if not reader.flag():
            continue
        last = 8
        for _ in range(16 if index < 6 else 64):
            last = (last + reader.read_se()) % 256
            if last == 0:
                break


def _vui_depth(reader: BitReader) -> int | None:
    """Read max_num_reorder_frames, if it is there (H.264 section E.1.1)."""
    # aspect_ratio_info_present_flag, aspect_ratio_idc
    if reader.flag() and reader.read(8) == _EXTENDED_RATIO:
        reader.skip(32)
    if reader.flag():  # overscan_info_present_flag
        reader.skip(1)
    if reader.flag():  # video_signal_type_present_flag
        reader.skip(4)
        if reader.flag():  # colour_description_present_flag
            reader.skip(24)
    if reader.flag():  # chroma_loc_info_present_flag
        reader.read_ue()
        reader.read_ue()
    if reader.flag():  # timing_info_present_flag
        reader.skip(65)
    has_hrd = False
    for _ in range(2):  # nal_hrd_parameters_present_flag, vcl_…
        if reader.flag():
            has_hrd = True
            _skip_hrd(reader)
    reader.skip(1 + has_hrd)  # low_delay_hrd_flag, pic_struct_present_flag
    if not reader.flag():  # bitstream_restriction_flag
        return None
    reader.skip(1)  # motion_vectors_over_pic_boundaries_flag
    for _ in range(4):  # max_bytes_per_pic_denom to log2_max_mv_length_vertical
        reader.read_ue()
    return reader.read_ue()


def _skip_hrd(reader: BitReader) -> None:
    """Skip HRD parameters (H.264 section E.1.2)."""
    count = reader.read_ue() + 1
    if count > 32:
        raise BitstreamError("More than 32 coded picture buffers.")
    reader.skip(8)  # bit_rate_scale, cpb_size_scale
    for _ in range(count):
        reader.read_ue()
        reader.read_ue()
        reader.skip(1)
    reader.skip(20)  # lengths of delays and of the time offset


def _h265_depth(reader: BitReader) -> int:
    """Read an SPS (H.265 section 7.3.2.2.1) up to sps_max_num_reorder_pics."""
    reader.skip(4)  # sps_video_parameter_set_id
    sub_layers = reader.read(3)  # sps_max_sub_layers_minus1
    reader.skip(1 + 96)  # sps_temporal_id_nesting_flag; the general profile and level
    if sub_layers:
        present = [(reader.flag(), reader.flag()) for _ in range(sub_layers)]
        reader.skip(2 * (8 - sub_layers))  # reserved_zero_2bits
        for has_profile, has_level in present:
            reader.skip(88 * has_profile + 8 * has_level)
    reader.read_ue()  # sps_seq_parameter_set_id
    read_chroma_format(reader)
    reader.read_ue()  # pic_width_in_luma_samples
    reader.read_ue()  # pic_height_in_luma_samples
    read_cropping(reader)
    for _ in range(3):  # bit depths, log2_max_pic_order_cnt_lsb_minus4
        reader.read_ue()
    # sps_sub_layer_ordering_info_present_flag; the last one is the highest sub-layer.
    depth = 0
    for _ in range(sub_layers + 1 if reader.flag() else 1):
        reader.read_ue()  # sps_max_dec_pic_buffering_minus1
        depth = reader.read_ue()
        reader.read_ue()  # sps_max_latency_increase_plus1
    return depth

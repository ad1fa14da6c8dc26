// Positions as rows of a matrix: what each position of a gather sees, tap after tap, zeros for taps outside the picture.
//
// Unlike the float32 kernels these multiply zeros at the edges: with bfloat16 a product costs less than telling edges apart.
#pragma once
#include "bfloat16_tile.h"
#include "gather.h"

namespace convista::CONVISTA_TARGET {

inline void clear_numbers(Bfloat16* to, int64_t count) {
#if defined(__AVX512BW__)
  for (; count >= 32; count -= 32, to += 32) _mm512_storeu_si512(to, _mm512_setzero_si512());
  _mm512_mask_storeu_epi16(to, (1u << count) - 1, _mm512_setzero_si512());
#else
  std::memset(to, 0, static_cast<size_t>(count) * sizeof(Bfloat16));
#endif
}

// `times` pieces of `count` numbers.
inline void copy_pieces(Bfloat16* to, int64_t to_step, const Bfloat16* from, int64_t from_step, int64_t count, int64_t times) {
#if defined(__AVX512BW__)
  const int64_t full = count / 32;
  const __mmask32 rest = (1u << count % 32) - 1;
  for (int64_t i = 0; i < times; ++i, to += to_step, from += from_step) {
    for (int64_t v = 0; v < full; ++v) _mm512_storeu_si512(to + 32 * v, _mm512_loadu_si512(from + 32 * v));
    if (rest) _mm512_mask_storeu_epi16(to + 32 * full, rest, _mm512_maskz_loadu_epi16(rest, from + 32 * full));
  }
#else
  for (int64_t i = 0; i < times; ++i, to += to_step, from += from_step)
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(Bfloat16));
#endif
}

// Positions in the plain order of the target, image after image.
struct Position {
  int64_t image, at[3];
};

inline Position position_at(const Gather& gather, int64_t number) {
  const int64_t p1 = gather.axis[1].positions, p2 = gather.axis[2].positions, image = number / gather.positions();
  const int64_t inside = number % gather.positions();
  return {image, {inside / (p1 * p2), inside / p2 % p1, inside % p2}};
}

inline void next(const Gather& gather, Position& position) {
  for (int i = 2; i >= 0; --i) {
    if (++position.at[i] < gather.axis[i].positions) return;
    position.at[i] = 0;
  }
  ++position.image;
}

inline int64_t target_offset(const Gather& gather, const Position& position) {
  int64_t place = position.image;
  for (int i = 0; i < 3; ++i) {
    const GatherAxis& axis = gather.axis[i];
    place = place * axis.target + axis.target_start + position.at[i] * axis.target_step;
  }
  return place * gather.target_channels;
}

// Length of a row: a whole number of steps, and not a power of two of cache lines, which would all fall into a few cache sets.
inline int64_t row_length(int64_t depth) {
  const int64_t length = rounded_up(depth, kDepth);
  return length % 256 == 0 ? length + kDepth : length;
}

// Taps of the first two axes together: `line` counts source rows from the group's first channel, −1 outside the picture.
inline int64_t source_line(const Gather& gather, const Position& position, int64_t tap_row) {
  const GatherAxis* axis = gather.axis;
  const int64_t t0 = tap_row / axis[1].taps, t1 = tap_row % axis[1].taps;
  const int64_t s0 = axis[0].source_start + position.at[0] * axis[0].source_step + t0 * axis[0].tap_step;
  const int64_t s1 = axis[1].source_start + position.at[1] * axis[1].source_step + t1 * axis[1].tap_step;
  if (s0 < 0 || s0 >= axis[0].source || s1 < 0 || s1 >= axis[1].source) return -1;
  return (position.image * axis[0].source + s0) * axis[1].source + s1;
}

// Neighbouring positions of one line with the same taps along the last axis, one kernel row: taps × channels numbers each, of
// which those outside are zero. `from` is the source line.
inline void copy_segment(const Gather& gather, const Bfloat16* from, const Segment& segment, Bfloat16* to, int64_t stride) {
  const GatherAxis& axis = gather.axis[2];
  const int64_t channels = gather.group_sources(), live = segment.tap_end - segment.tap_begin, count = segment.end - segment.begin;
  if (live < axis.taps) {
    for (int64_t i = 0; i < count; ++i) {
      clear_numbers(to + i * stride, segment.tap_begin * channels);
      clear_numbers(to + i * stride + segment.tap_end * channels, (axis.taps - segment.tap_end) * channels);
    }
  }
  if (live == 0) return;
  const int64_t place = axis.source_start + segment.begin * axis.source_step + segment.tap_begin * axis.tap_step;
  const int64_t step = axis.source_step * gather.source_channels;
  from += place * gather.source_channels, to += segment.tap_begin * channels;
  if (axis.tap_step == 1 && gather.groups == 1) return copy_pieces(to, stride, from, step, live * channels, count);
  for (int64_t tap = 0; tap < live; ++tap) {
    copy_pieces(to + tap * channels, stride, from + tap * axis.tap_step * gather.source_channels, step, channels, count);
  }
}

// A matrix with one row a position: `length` numbers, `stride` from row to row.
struct Rows {
  Bfloat16* begin;
  int64_t length, stride;
};

#if defined(__AVX512BW__)
// The whole row of a position in one step, and nothing outside the picture: each kernel row is written with the zeros behind it,
// over which the next one is written. First convolution of the lecture convnet: a third less time than piece by piece.
inline bool in_one_vector(const Gather& gather, Segment tap_rows, const Rows& rows) {
  const GatherAxis* axis = gather.axis;
  for (int i = 0; i < 3; ++i)
    if (gather.segment_count[i] != 1 || gather.segments[i][0].tap_end - gather.segments[i][0].tap_begin != axis[i].taps) return false;
  return rows.length == kDepth && rows.stride == kDepth && axis[2].tap_step == 1 && gather.groups == 1 &&
         tap_rows.end - tap_rows.begin <= kDepth;
}

inline void copy_short_rows(const Gather& gather, const Bfloat16* source, Position& position, int64_t count, Segment tap_rows, Bfloat16* to) {
  const GatherAxis& last = gather.axis[2];
  const int64_t width = last.taps * gather.group_sources(), line = last.source * gather.source_channels;
  const __mmask32 live = static_cast<__mmask32>((int64_t{1} << width) - 1);
  const int64_t kernel_rows = tap_rows.end - tap_rows.begin, step = last.source_step * gather.source_channels;
  for (int64_t done = 0; done < count;) {
    const int64_t begin = position.at[2], end = smaller(last.positions, begin + count - done);
    const Bfloat16* from[kDepth];
    for (int64_t i = 0; i < kernel_rows; ++i)
      from[i] = source + source_line(gather, position, tap_rows.begin + i) * line + (last.source_start + begin * last.source_step) * gather.source_channels;
    for (int64_t at = begin; at < end; ++at, to += kDepth)
      for (int64_t i = 0; i < kernel_rows; ++i)
        _mm512_storeu_si512(to + i * width, _mm512_maskz_loadu_epi16(live, from[i] + (at - begin) * step));
    done += end - begin;
    position.at[2] = end - 1;
    next(gather, position);
  }
}
#endif

// Memory for so many rows: what is written behind a row's end may lie behind the last one.
inline int64_t row_memory(int64_t rows, int64_t stride) { return rows * stride + kDepth; }

// Kernel rows tap_rows.begin … end − 1 of `count` positions from `position` on, zeros behind them, zero rows up to `whole`;
// `position` moves behind them. `source` begins at the group's first channel; segments of the last axis are placed.
inline void copy_rows(const Gather& gather, const Bfloat16* source, Position& position, int64_t count, int64_t whole, Segment tap_rows,
                      const Rows& rows) {
  const GatherAxis& last = gather.axis[2];
  const int64_t width = last.taps * gather.group_sources(), line = last.source * gather.source_channels;
  const int64_t used = (tap_rows.end - tap_rows.begin) * width;
#if defined(__AVX512BW__)
  if (in_one_vector(gather, tap_rows, rows)) {
    copy_short_rows(gather, source, position, count, tap_rows, rows.begin);
    for (int64_t i = count; i < whole; ++i) clear_numbers(rows.begin + i * rows.stride, rows.length);
    return;
  }
#endif
  for (int64_t done = 0; done < count;) {
    const int64_t begin = position.at[2], end = smaller(last.positions, begin + count - done);
    for (int64_t tap_row = tap_rows.begin; tap_row < tap_rows.end; ++tap_row) {
      Bfloat16* to = rows.begin + done * rows.stride + (tap_row - tap_rows.begin) * width;
      const int64_t from = source_line(gather, position, tap_row);
      for (int64_t i = 0; i < gather.segment_count[2]; ++i) {
        Segment segment = gather.segments[2][i];
        segment.begin = larger(segment.begin, begin), segment.end = smaller(segment.end, end);
        if (segment.begin >= segment.end) continue;
        if (from < 0) segment.tap_begin = segment.tap_end = 0;
        copy_segment(gather, source + larger(from, 0) * line, segment, to + (segment.begin - begin) * rows.stride, rows.stride);
      }
    }
    done += end - begin;
    position.at[2] = end - 1;
    next(gather, position);
  }
  if (used < rows.length)
    for (int64_t i = 0; i < count; ++i) clear_numbers(rows.begin + i * rows.stride + used, rows.length - used);
  for (int64_t i = count; i < whole; ++i) clear_numbers(rows.begin + i * rows.stride, rows.length);
}

}  // namespace convista::CONVISTA_TARGET

// A gather: every target position is a sum over kernel taps of source positions. Forward convolution is one; the gradient by
// the input is one per residue class of the stride. No zero is ever multiplied: positions that see the same taps form a box,
// and a box has its own list of taps, so padding costs nothing and needs neither a padded copy nor a row of zeros.
//
// Only plain pointers here and no standard containers: a template of the standard library that is instantiated in several
// instruction sets may be merged by the linker, and then the baseline would run AVX-512 code.
#pragma once
#include "geometry.h"
#include "vector.h"
#include "workers.h"

namespace convista::CONVISTA_TARGET {

// Position p and tap t read source_start + p·source_step + t·tap_step, write target_start + p·target_step,
// and use kernel element kernel_start + t·kernel_step.
struct GatherAxis {
  int64_t positions, taps, source, target;
  int64_t source_start, source_step, tap_step;
  int64_t target_start, target_step;
  int64_t kernel_start, kernel_step;
};

// Neighbouring positions of one axis with the same valid taps.
struct Segment {
  int64_t begin, end, tap_begin, tap_end;
};

struct Gather {
  GatherAxis axis[3];
  int64_t batch, groups, source_channels, target_channels;  // channels of all groups together
  Segment* segments[3];
  int64_t segment_count[3];

  int64_t positions() const { return axis[0].positions * axis[1].positions * axis[2].positions; }
  int64_t taps() const { return axis[0].taps * axis[1].taps * axis[2].taps; }
  int64_t group_sources() const { return source_channels / groups; }
  int64_t group_targets() const { return target_channels / groups; }
  int64_t rows() const { return taps() * group_sources(); }  // of the weight matrix of one group
  int64_t source_image() const { return axis[0].source * axis[1].source * axis[2].source * source_channels; }
  int64_t target_image() const { return axis[0].target * axis[1].target * axis[2].target * target_channels; }
};

inline int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

inline Segment taps_at(const GatherAxis& axis, int64_t position) {
  const int64_t base = axis.source_start + position * axis.source_step;
  const int64_t begin = larger(0, -floor_divide(base, axis.tap_step));
  const int64_t end = smaller(axis.taps, floor_divide(axis.source - 1 - base, axis.tap_step) + 1);
  return begin < end ? Segment{position, position + 1, begin, end} : Segment{position, position + 1, 0, 0};
}

// One past the last position from `position` on at which every tap is valid.
inline int64_t end_of_interior(const GatherAxis& axis, int64_t position) {
  const int64_t room = axis.source - 1 - (axis.taps - 1) * axis.tap_step - axis.source_start;
  return between(position + 1, floor_divide(room, axis.source_step) + 1, axis.positions);
}

inline int64_t segment_limit(const GatherAxis& axis) { return smaller(axis.positions, 2 * axis.taps + 2); }

inline int64_t find_segments(const GatherAxis& axis, Segment* segments) {
  int64_t count = 0;
  for (int64_t position = 0; position < axis.positions;) {
    Segment found = taps_at(axis, position);
    if (found.tap_begin == 0 && found.tap_end == axis.taps && axis.taps > 0) found.end = end_of_interior(axis, position);
    Segment* last = segments + count - 1;
    if (count > 0 && last->tap_begin == found.tap_begin && last->tap_end == found.tap_end) {
      last->end = found.end;
    } else {
      segments[count++] = found;
    }
    position = found.end;
  }
  return count;
}

inline int64_t segments_needed(const Gather& gather) {
  return segment_limit(gather.axis[0]) + segment_limit(gather.axis[1]) + segment_limit(gather.axis[2]);
}

inline void place_segments(Gather& gather, Segment* memory) {
  for (int i = 0; i < 3; ++i) {
    gather.segments[i] = memory;
    gather.segment_count[i] = find_segments(gather.axis[i], memory);
    memory += segment_limit(gather.axis[i]);
  }
}

inline Gather forward_gather(const ConvolutionGeometry& g) {
  Gather gather{{}, g.batch, g.groups, g.in_channels, g.out_channels, {}, {}};
  for (int i = 0; i < 3; ++i) {
    gather.axis[i] = {g.out[i], g.kernel[i], g.in[i], g.out[i], -g.before[i], g.stride[i], g.dilation[i], 0, 1, 0, 1};
  }
  return gather;
}

inline int64_t common_divisor(int64_t a, int64_t b) { return b == 0 ? a : common_divisor(b, a % b); }

// Input positions residue, residue + stride, …: position j and kernel element k meet output j + (residue + before − k·dilation) / stride
// when that division is exact. Taps are numbered from the last kernel element down, so that outputs ascend.
inline GatherAxis input_gradient_axis(const ConvolutionGeometry& g, int i, int64_t residue) {
  const int64_t stride = g.stride[i], dilation = g.dilation[i];
  const int64_t shared = common_divisor(stride, dilation), kernel_step = stride / shared;
  int64_t first = 0;
  while (first < kernel_step && (residue + g.before[i] - first * dilation) % stride != 0) ++first;
  const int64_t taps = first < kernel_step && first < g.kernel[i] ? divide_up(g.kernel[i] - first, kernel_step) : 0;
  const int64_t last = first + (taps - 1) * kernel_step;
  const int64_t positions = residue < g.in[i] ? divide_up(g.in[i] - residue, stride) : 0;
  const int64_t start = floor_divide(residue + g.before[i] - last * dilation, stride);
  return {positions, taps, g.out[i], g.in[i], start, 1, dilation / shared, residue, stride, last, -kernel_step};
}

inline Gather input_gradient_gather(const ConvolutionGeometry& g, const int64_t residue[3]) {
  Gather gather{{}, g.batch, g.groups, g.out_channels, g.in_channels, {}, {}};
  for (int i = 0; i < 3; ++i) gather.axis[i] = input_gradient_axis(g, i, residue[i]);
  return gather;
}

// Which kernel element (row-major over the whole kernel) a tap uses.
inline int64_t kernel_element(const Gather& gather, const int64_t kernel[3], int64_t tap) {
  const GatherAxis* axis = gather.axis;
  const int64_t t2 = tap % axis[2].taps, t1 = tap / axis[2].taps % axis[1].taps, t0 = tap / (axis[2].taps * axis[1].taps);
  const int64_t k0 = axis[0].kernel_start + t0 * axis[0].kernel_step, k1 = axis[1].kernel_start + t1 * axis[1].kernel_step;
  return (k0 * kernel[1] + k1) * kernel[2] + axis[2].kernel_start + t2 * axis[2].kernel_step;
}

// Positions of several images that see the same taps, numbered image by image.
struct Box {
  Segment segment[3];
  int64_t positions;  // of one image
};

// Calls visit(box, first, last) for the parts of all boxes that make up the numbers begin … end − 1 of `images` images.
template <typename Visit>
void visit_boxes(const Gather& gather, int64_t images, int64_t begin, int64_t end, const Visit& visit) {
  int64_t start = 0;
  for (int64_t a = 0; a < gather.segment_count[0]; ++a)
    for (int64_t b = 0; b < gather.segment_count[1]; ++b)
      for (int64_t c = 0; c < gather.segment_count[2]; ++c) {
        Box box{{gather.segments[0][a], gather.segments[1][b], gather.segments[2][c]}, 1};
        for (const Segment& segment : box.segment) box.positions *= segment.end - segment.begin;
        const int64_t first = larger(begin - start, 0), last = smaller(end - start, box.positions * images);
        if (first < last) visit(box, first, last);
        start += box.positions * images;
      }
}

inline bool has_taps(const Box& box) {
  for (const Segment& segment : box.segment)
    if (segment.tap_begin == segment.tap_end) return false;
  return true;
}

// Offsets (in floats, from the first image) of the first valid tap in the source and of the result in the target.
// Always inside the arrays; zero in the source where there is no tap.
inline void list_positions(const Gather& gather, const Box& box, int64_t first, int64_t last, int64_t* source, int64_t* target) {
  int64_t size[3], source_stride[3], target_stride[3];
  int64_t source_place = 0, target_place = 0, source_unit = gather.source_channels, target_unit = gather.target_channels;
  for (int i = 2; i >= 0; --i) {
    const GatherAxis& axis = gather.axis[i];
    const Segment& segment = box.segment[i];
    size[i] = segment.end - segment.begin;
    source_stride[i] = axis.source_step * source_unit;
    target_stride[i] = axis.target_step * target_unit;
    source_place += (axis.source_start + segment.begin * axis.source_step + segment.tap_begin * axis.tap_step) * source_unit;
    target_place += (axis.target_start + segment.begin * axis.target_step) * target_unit;
    source_unit *= axis.source;
    target_unit *= axis.target;
  }
  const int64_t alive = has_taps(box);
  int64_t column = first % size[2], row = first / size[2] % size[1], plane = first / (size[2] * size[1]) % size[0];
  int64_t image = first / box.positions;
  for (int64_t done = first; done < last; column = 0) {
    const int64_t count = smaller(size[2] - column, last - done);
    const int64_t from = source_place + image * source_unit + plane * source_stride[0] + row * source_stride[1];
    const int64_t to = target_place + image * target_unit + plane * target_stride[0] + row * target_stride[1];
    for (int64_t i = 0; i < count; ++i) {
      *source++ = alive * (from + (column + i) * source_stride[2]);
      *target++ = to + (column + i) * target_stride[2];
    }
    done += count;
    if (++row == size[1]) row = 0, ++plane;
    if (plane == size[0]) plane = 0, ++image;
  }
}

// Channels that lie together in the source and meet weight rows that lie together. `offset` counts from the first valid tap.
struct Run {
  int64_t offset, row, length;
};

inline int64_t runs_needed(const Gather& gather, int64_t longest) { return gather.taps() + gather.rows() / longest + 1; }

// Splits a run evenly: 192 by 128 is twice 96.
inline int64_t append_run(Run run, int64_t longest, Run* runs, int64_t count) {
  const int64_t parts = divide_up(run.length, longest);
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = run.length * part / parts, end = run.length * (part + 1) / parts;
    runs[count++] = {run.offset + begin, run.row + begin, end - begin};
  }
  return count;
}

inline int64_t list_runs(const Gather& gather, const Box& box, int64_t longest, Run* runs) {
  if (!has_taps(box)) return 0;
  const GatherAxis* axis = gather.axis;
  const Segment *s0 = box.segment, *s1 = s0 + 1, *s2 = s0 + 2;
  const int64_t channels = gather.group_sources(), unit2 = axis[2].tap_step * gather.source_channels;
  const int64_t unit1 = axis[1].tap_step * axis[2].source * gather.source_channels;
  const int64_t unit0 = axis[0].tap_step * axis[1].source * axis[2].source * gather.source_channels;
  int64_t count = 0;
  Run open{0, 0, 0};
  for (int64_t t0 = s0->tap_begin; t0 < s0->tap_end; ++t0)
    for (int64_t t1 = s1->tap_begin; t1 < s1->tap_end; ++t1)
      for (int64_t t2 = s2->tap_begin; t2 < s2->tap_end; ++t2) {
        const int64_t row = ((t0 * axis[1].taps + t1) * axis[2].taps + t2) * channels;
        const int64_t offset = (t0 - s0->tap_begin) * unit0 + (t1 - s1->tap_begin) * unit1 + (t2 - s2->tap_begin) * unit2;
        if (open.length > 0 && open.offset + open.length == offset && open.row + open.length == row) {
          open.length += channels;
          continue;
        }
        if (open.length > 0) count = append_run(open, longest, runs, count);
        open = {offset, row, channels};
      }
  return append_run(open, longest, runs, count);
}

// How the positions of a batch are cut into units of work, by shape alone.
struct Units {
  int64_t images;  // that are handled together, so that small pictures fill the register tiles
  int64_t size;    // positions of one unit
  int64_t per_group, count;
};

// At least these positions in a group of images, and images in dozens: the corners of a dozen images fill a register tile that
// the corner of one image would leave nearly empty.
constexpr int64_t kPositionsTogether = 1024;
constexpr int64_t kImagesTogether = 12;

// Cuts fall between register tiles of 6, 8 and 12 positions.
inline int64_t whole_tiles(int64_t positions) { return divide_up(positions, 24) * 24; }

inline Units cut_units(const Gather& gather, int64_t size) {
  const int64_t positions = gather.positions();
  if (positions == 0 || gather.batch == 0) return {1, 1, 0, 0};
  const int64_t dozens = divide_up(divide_up(kPositionsTogether, positions), kImagesTogether);
  const int64_t images = smaller(dozens * kImagesTogether, gather.batch);
  const int64_t per_group = divide_up(images * positions, size);
  return {images, whole_tiles(divide_up(images * positions, per_group)), per_group, per_group * divide_up(gather.batch, images)};
}

// Positions whose targets stay in the second-level cache while all weights pass over them; more of them when the weights do not
// stay there themselves.
constexpr int64_t kPiece = 192, kLongPiece = 384;
constexpr int64_t kWeightsThatStay = 256 * 1024;  // floats
constexpr int64_t kMostPositions = kLongPiece * 2;

inline int64_t piece_size(const Gather& gather) {
  return gather.rows() * gather.target_channels > kWeightsThatStay ? kLongPiece : kPiece;
}

// Calls visit(first, last) for even pieces of about `size`: 200 by 192 is one piece, because a rest of 8 would need all weights again.
template <typename Visit>
void visit_pieces(int64_t first, int64_t last, int64_t size, const Visit& visit) {
  const int64_t count = larger(1, (last - first + size / 2) / size), total = last - first;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = smaller(whole_tiles(total * i / count), total), to = smaller(whole_tiles(total * (i + 1) / count), total);
    if (from < to) visit(first + from, first + to);
  }
}

constexpr int64_t kProductsPerTask = 1'000'000;

inline Units gather_units(const Gather& gather) {
  const int64_t products = larger(1, gather.rows() * gather.target_channels), piece = piece_size(gather);
  return cut_units(gather, between(1, kProductsPerTask / (products * piece), 64) * piece);
}

// Calls visit(first image, box, first, last) for everything in a unit.
template <typename Visit>
void visit_unit(const Gather& gather, const Units& units, int64_t unit, const Visit& visit) {
  const int64_t image = unit / units.per_group * units.images, begin = unit % units.per_group * units.size;
  const int64_t images = smaller(units.images, gather.batch - image);
  visit_boxes(gather, images, begin, begin + units.size,
              [&](const Box& box, int64_t first, int64_t last) { visit(image, box, first, last); });
}

}  // namespace convista::CONVISTA_TARGET

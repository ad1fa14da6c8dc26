// Pictures in stacks of 32: the rows of a product are the same cell of 32 pictures, its depth their channels, tap after tap.
//
// So nothing is copied tap by tap, every position has just the taps that lie inside the picture, and strides and dilations are other
// offsets. Tried and lost: 32 neighbouring positions of a picture as rows, copied tap by tap; copying took as long as
// multiplying (13² 32→64: 182 GFLOP/s, 56² 64→64: 184, 28² 128→128: 230; vectors of float32: 174, 171, 166).
#pragma once
#include "gather.h"
#include "memory.h"
#include "split_weights.h"

namespace convista::CONVISTA_TARGET {

constexpr int64_t kStack = 2 * kTile;

// Pictures next to each other, up to 32.
struct Stack {
  const float* source;
  int64_t images;
};

// A picture is worked through along its leading axis, the first one with anything to tell apart: rows of an image, planes of a volume.
inline int leading_axis(const Gather& gather) {
  int lead = 0;
  while (lead < 2 && gather.axis[lead].positions == 1 && gather.axis[lead].source == 1) ++lead;
  return lead;
}

inline int64_t cells_of_row(const Gather& gather, int lead) {
  int64_t cells = 1;
  for (int i = lead + 1; i < 3; ++i) cells *= gather.axis[i].source;
  return cells;
}

inline int64_t positions_of_row(const Gather& gather, int lead) {
  int64_t positions = 1;
  for (int i = lead + 1; i < 3; ++i) positions *= gather.axis[i].positions;
  return positions;
}

// Rows of cells that rows begin … end − 1 of positions see.
inline Range rows_seen(const GatherAxis& axis, int64_t begin, int64_t end) {
  const int64_t first = larger(0, axis.source_start + begin * axis.source_step);
  const int64_t last = smaller(axis.source - 1, axis.source_start + (end - 1) * axis.source_step + (axis.taps - 1) * axis.tap_step);
  return {first, larger(first, last + 1)};
}

inline int64_t most_rows_seen(const GatherAxis& axis, int64_t rows) {
  return between(1, (rows - 1) * axis.source_step + (axis.taps - 1) * axis.tap_step + 1, axis.source);
}

// The rows of cells in use: row r lies in place r modulo `rows`.
struct Ring {
  Bfloat16* numbers;
  int64_t rows, row_size, cell_size;
  Bfloat16* row(int64_t number) const { return numbers + number % rows * row_size; }
};

// A position, or a window of positions.
struct Place {
  int64_t at[3];
};

// In numbers from where a picture begins.
inline int64_t target_of(const Gather& gather, const Place& place) {
  int64_t cell = 0;
  for (int i = 0; i < 3; ++i) {
    const GatherAxis& axis = gather.axis[i];
    cell = cell * axis.target + axis.target_start + place.at[i] * axis.target_step;
  }
  return cell * gather.target_channels;
}

// Where the cell that a tap of a position sees lies in the ring.
inline int64_t ring_offset(const Gather& gather, int lead, const Ring& ring, const Place& place, const int64_t (&tap)[3]) {
  int64_t cell = 0;
  for (int i = lead; i < 3; ++i) {
    const GatherAxis& axis = gather.axis[i];
    const int64_t at = axis.source_start + place.at[i] * axis.source_step + tap[i] * axis.tap_step;
    cell = i == lead ? at % ring.rows : cell * axis.source + at;
  }
  return cell * ring.cell_size;
}

// How the pictures are cut into tasks: stacks, bands of their rows, parts of the target's channels.
struct StackCut {
  int64_t stacks, bands, parts;
  int64_t tasks() const { return stacks * bands * parts; }
};

// `rows` of positions, of which `edge` at the end of a band are split for both neighbours. Parts split everything anew, which takes a few
// hundredths of the time with 128 channels a part and more.
inline StackCut cut_stacks(int64_t batch, int64_t rows, int64_t edge, int64_t channels, int64_t tasks) {
  StackCut cut{divide_up(batch, kStack), 1, 1};
  const auto missing = [&] { return divide_up(tasks, cut.tasks()); };
  cut.bands = between(1, missing(), rows / larger(1, 2 * edge));
  cut.parts = between(1, missing(), channels / 128);
  cut.bands = between(cut.bands, cut.bands * missing(), rows);
  return cut;
}

inline Range even_part(int64_t total, int64_t part, int64_t parts) { return {total * part / parts, total * (part + 1) / parts}; }

}  // namespace convista::CONVISTA_TARGET

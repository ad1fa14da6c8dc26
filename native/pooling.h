// Max, average and sum pooling, channels last, with their gradients, of float32 or bfloat16 (with sums in float32). Vectors run
// over the channels.
//
// Forward and backward both walk over what they write: an output position reads its window, an input position reads
// the windows it lies in. So every cell is written once, by one task, in one order of additions, whatever the threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "bfloat16_vector.h"
#include "geometry.h"
#include "workers.h"

namespace convista::CONVISTA_TARGET {
namespace pooling {

template <int lanes>
struct Lanes {
  typedef float Floats __attribute__((vector_size(4 * lanes)));
  typedef int32_t Integers __attribute__((vector_size(4 * lanes)));

  template <typename Index>
  struct Stored {
    typedef Index Type __attribute__((vector_size(sizeof(Index) * lanes)));
  };

  static Floats load(const float* from) {
    Floats value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static void store(float* to, Floats value) { std::memcpy(to, &value, sizeof value); }
  // Through memory, because GCC 12 takes Floats for a plain float until the lanes are known.
  static Floats load(const Bfloat16* from) {
    Floats value;
    if constexpr (lanes == kWidth) {
      const Vector wide = CONVISTA_TARGET::load(from);
      std::memcpy(&value, &wide, sizeof value);
    } else {
      const float number = widened(*from);
      std::memcpy(&value, &number, sizeof value);
    }
    return value;
  }
  static void store(Bfloat16* to, Floats value) {
    if constexpr (lanes == kWidth) {
      Vector wide;
      std::memcpy(&wide, &value, sizeof wide);
      CONVISTA_TARGET::store(to, wide);
    } else {
      float number;
      std::memcpy(&number, &value, sizeof number);
      to->bits = narrowed(number);
    }
  }

  template <typename Index>
  static Integers load_index(const Index* from) {
    typename Stored<Index>::Type value;
    std::memcpy(&value, from, sizeof value);
    return __builtin_convertvector(value, Integers);
  }
  template <typename Index>
  static void store_index(Index* to, Integers index) {
    const auto value = __builtin_convertvector(index, typename Stored<Index>::Type);
    std::memcpy(to, &value, sizeof value);
  }
};

// Calls body(Lanes<…>, channel) for blocks that cover all channels: whole vectors, the last one moved back to end at the
// last channel (the channels it repeats get the same values again), or single lanes below one vector.
template <typename Body>
inline void for_channels(int64_t channels, const Body& body) {
  if (channels < kWidth) {
    for (int64_t channel = 0; channel < channels; ++channel) body(Lanes<1>(), channel);
    return;
  }
  for (int64_t channel = 0; channel < channels; channel += kWidth) {
    body(Lanes<kWidth>(), std::min(channel, channels - kWidth));
  }
}

// Cells of the window at `position` that lie inside the picture.
inline Range cells_inside(const PoolingGeometry& g, int axis, int64_t position) {
  const int64_t start = position * g.stride[axis] - g.before[axis];
  const int64_t first = std::max<int64_t>(0, -start);
  return {first, std::max(first, std::min(g.size[axis], g.in[axis] - start))};
}

// Windows in which the input cell `cell` lies.
inline Range windows_around(const PoolingGeometry& g, int axis, int64_t cell) {
  const int64_t reached = cell + g.before[axis];
  const int64_t late = reached - g.size[axis] + 1;
  const int64_t first = late <= 0 ? 0 : (late + g.stride[axis] - 1) / g.stride[axis];
  return {first, std::max(first, std::min(g.out[axis], reached / g.stride[axis] + 1))};
}

// Ranges for every coordinate of the three axes, worked out once: a division per cell would cost more than a small window.
struct Ranges {
  const Range* axis[3];
};

template <typename Of>
inline Ranges ranges_of(const PoolingGeometry& g, const int64_t (&extent)[3], Workers& workers, const Of& of) {
  auto* memory = static_cast<Range*>(workers.shared(sizeof(Range) * (extent[0] + extent[1] + extent[2])));
  Ranges result;
  for (int axis = 0; axis < 3; ++axis) {
    result.axis[axis] = memory;
    for (int64_t i = 0; i < extent[axis]; ++i) *memory++ = of(g, axis, i);
  }
  return result;
}

// Runs row(first, end) over rows of `row_bytes` of memory traffic, in chunks of about 128 KB.
template <typename Rows>
inline void for_rows(int64_t rows, int64_t row_bytes, Workers& workers, const Rows& body) {
  const int64_t wanted = std::clamp<int64_t>((int64_t{1} << 17) / std::max<int64_t>(row_bytes, 1), 1, rows);
  const int64_t chunk = std::max(wanted, rows / (int64_t{1} << 20) + 1);
  workers.run(static_cast<int>((rows + chunk - 1) / chunk),
              [&](int task) { body(task * chunk, std::min((task + 1) * chunk, rows)); });
}

// Where the cells of a window lie that is wholly inside the picture, from its first cell: one loop instead of three.
struct Cells {
  int64_t count;
  const int64_t* offset;
};

constexpr int64_t kMostListed = 1 << 12;

inline Cells cells_of(const PoolingGeometry& g, Workers& workers) {
  const int64_t count = g.size[0] * g.size[1] * g.size[2];
  if (count > kMostListed) return {0, nullptr};
  auto* offset = static_cast<int64_t*>(workers.shared(sizeof(int64_t) * count));
  for (int64_t k = 0; k < count; ++k) {
    const int64_t k0 = k / (g.size[1] * g.size[2]), k1 = k / g.size[2] % g.size[1], k2 = k % g.size[2];
    offset[k] = ((k0 * g.in[1] + k1) * g.in[2] + k2) * g.channels;
  }
  return {count, offset};
}

inline bool whole(const PoolingGeometry& g, int axis, Range cells) { return cells.end - cells.begin == g.size[axis]; }

inline int64_t window_count(Range a, Range b, Range c) {
  return (a.end - a.begin) * (b.end - b.begin) * (c.end - c.begin);
}

// body(y offset in positions, x offset in positions of the image's first cell, position) for every output position.
template <typename Body>
inline void for_outputs(const PoolingGeometry& g, Workers& workers, const Body& body) {
  const int64_t image = g.in[0] * g.in[1] * g.in[2];
  const int64_t cells = g.size[0] * g.size[1] * std::min(g.size[2], g.in[2]);
  for_rows(g.batch * g.out[0] * g.out[1], g.out[2] * g.channels * 4 * std::min<int64_t>(cells, 1 << 16), workers,
           [&](int64_t first, int64_t end) {
             for (int64_t row = first; row < end; ++row) {
               const int64_t n = row / (g.out[0] * g.out[1]);
               const int64_t p0 = row / g.out[1] % g.out[0], p1 = row % g.out[1];
               for (int64_t p2 = 0; p2 < g.out[2]; ++p2) body(row * g.out[2] + p2, n * image, p0, p1, p2);
             }
           });
}

template <typename Body>
inline void for_inputs(const PoolingGeometry& g, Workers& workers, const Body& body) {
  const int64_t image = g.out[0] * g.out[1] * g.out[2];
  for_rows(g.batch * g.in[0] * g.in[1], g.in[2] * g.channels * 8, workers, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; ++row) {
      const int64_t n = row / (g.in[0] * g.in[1]);
      const int64_t i0 = row / g.in[1] % g.in[0], i1 = row % g.in[1];
      for (int64_t i2 = 0; i2 < g.in[2]; ++i2) body(row * g.in[2] + i2, n * image, i0, i1, i2);
    }
  });
}

}  // namespace pooling

// y = the largest cell of each window, NaN if it has one; −∞ for a window wholly in the padding. index (or null): which
// cell of the window, row-major, the first of equals.
template <typename Element, typename Index>
void max_pooling_forward(const PoolingGeometry& g, const Element* x, Element* y, Index* index, Workers& workers) {
  using namespace pooling;
  const Ranges cells = ranges_of(g, g.out, workers, cells_inside);
  const Cells listed = cells_of(g, workers);
  for_outputs(g, workers, [&](int64_t out, int64_t image, int64_t p0, int64_t p1, int64_t p2) {
    const Range k0 = cells.axis[0][p0], k1 = cells.axis[1][p1], k2 = cells.axis[2][p2];
    const int64_t s0 = p0 * g.stride[0] - g.before[0], s1 = p1 * g.stride[1] - g.before[1],
                  s2 = p2 * g.stride[2] - g.before[2];
    if (listed.count && whole(g, 0, k0) && whole(g, 1, k1) && whole(g, 2, k2)) {
      for_channels(g.channels, [&](auto vector, int64_t channel) {
        using V = decltype(vector);
        const Element* from = x + (image + (s0 * g.in[1] + s1) * g.in[2] + s2) * g.channels + channel;
        typename V::Floats best = V::load(from);
        typename V::Integers winner = typename V::Integers{};
        for (int64_t k = 1; k < listed.count; ++k) {
          const typename V::Floats value = V::load(from + listed.offset[k]);
          const auto larger = (value > best) | ((value != value) & (best == best));
          best = larger ? value : best;
          winner = larger ? typename V::Integers{} + static_cast<int32_t>(k) : winner;
        }
        V::store(y + out * g.channels + channel, best);
        if (index != nullptr) V::store_index(index + out * g.channels + channel, winner);
      });
      return;
    }
    for_channels(g.channels, [&](auto vector, int64_t channel) {
      using V = decltype(vector);
      typename V::Floats best = typename V::Floats{} - std::numeric_limits<float>::infinity();
      typename V::Integers winner = typename V::Integers{};
      bool start = true;
      for (int64_t c0 = k0.begin; c0 < k0.end; ++c0) {
        for (int64_t c1 = k1.begin; c1 < k1.end; ++c1) {
          const Element* row = x + (image + ((s0 + c0) * g.in[1] + s1 + c1) * g.in[2] + s2) * g.channels + channel;
          const int64_t cell = (c0 * g.size[1] + c1) * g.size[2];
          for (int64_t c2 = k2.begin; c2 < k2.end; ++c2) {
            const typename V::Floats value = V::load(row + c2 * g.channels);
            if (start) {  // not compared with −∞: an all −∞ window has its first cell as winner
              best = value;
              winner += static_cast<int32_t>(cell + c2);
              start = false;
              continue;
            }
            const auto larger = (value > best) | ((value != value) & (best == best));
            best = larger ? value : best;
            winner = larger ? typename V::Integers{} + static_cast<int32_t>(cell + c2) : winner;
          }
        }
      }
      V::store(y + out * g.channels + channel, best);
      if (index != nullptr) V::store_index(index + out * g.channels + channel, winner);
    });
  });
}

namespace pooling {

// Whether windows lie side by side, all of them inside the picture.
inline bool is_tiled(const PoolingGeometry& g) {
  for (int axis = 0; axis < 3; ++axis) {
    if (g.size[axis] != g.stride[axis] || g.before[axis] != 0 || g.out[axis] * g.size[axis] > g.in[axis]) return false;
  }
  return true;
}

// body(lanes, offset in y, first cell's number, first cell of dx) for every window and every row of its cells: no ranges,
// no additions. First pooling of the lecture convnet, batch 128, one core: 1.2 ms, and 2.2 through the ranges.
template <typename Element, typename Body>
void for_tiles(const PoolingGeometry& g, Element* dx, Workers& workers, const Body& body) {
  const int64_t width = g.in[2] * g.channels, covered = g.out[2] * g.size[2] * g.channels;
  for_rows(g.batch * g.in[0] * g.in[1], width * 8, workers, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; ++row) {
      const int64_t n = row / (g.in[0] * g.in[1]), i0 = row / g.in[1] % g.in[0], i1 = row % g.in[1];
      const int64_t p0 = i0 / g.size[0], p1 = i1 / g.size[1];
      Element* to = dx + row * width;
      if (p0 >= g.out[0] || p1 >= g.out[1]) {
        std::fill_n(to, width, Element{});
        continue;
      }
      const int64_t from = ((n * g.out[0] + p0) * g.out[1] + p1) * g.out[2] * g.channels;
      const auto cell = static_cast<int32_t>((i0 % g.size[0] * g.size[1] + i1 % g.size[1]) * g.size[2]);
      for (int64_t p2 = 0; p2 < g.out[2]; ++p2) {
        for_channels(g.channels, [&](auto vector, int64_t channel) {
          body(vector, from + p2 * g.channels + channel, cell, to + p2 * g.size[2] * g.channels + channel);
        });
      }
      std::fill(to + covered, to + width, Element{});
    }
  });
}

}  // namespace pooling

namespace pooling {

// Bits are moved, not numbers: twice the lanes, and no conversion.
inline void spread_bits(const Bfloat16* dy, const uint8_t* winner, int64_t cell, Bfloat16* to) {
  typedef uint8_t Bytes __attribute__((vector_size(2 * kWidth)));
  typedef uint16_t Bits __attribute__((vector_size(4 * kWidth)));
  Bytes index;
  Bits gradient;
  std::memcpy(&index, winner, sizeof index);
  std::memcpy(&gradient, dy, sizeof gradient);
  const Bits here = __builtin_convertvector(index, Bits) == static_cast<uint16_t>(cell) ? gradient : Bits{};
  std::memcpy(to, &here, sizeof here);
}

// As for_tiles, for channels that fill such vectors.
inline void spread_tiles(const PoolingGeometry& g, const Bfloat16* dy, const uint8_t* winner, Bfloat16* dx, Workers& workers) {
  const int64_t width = g.in[2] * g.channels, covered = g.out[2] * g.size[2] * g.channels;
  for_rows(g.batch * g.in[0] * g.in[1], width * 4, workers, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; ++row) {
      const int64_t n = row / (g.in[0] * g.in[1]), i0 = row / g.in[1] % g.in[0], i1 = row % g.in[1];
      const int64_t p0 = i0 / g.size[0], p1 = i1 / g.size[1];
      Bfloat16* to = dx + row * width;
      if (p0 >= g.out[0] || p1 >= g.out[1]) {
        std::memset(to, 0, static_cast<size_t>(width) * sizeof(Bfloat16));
        continue;
      }
      const int64_t from = ((n * g.out[0] + p0) * g.out[1] + p1) * g.out[2] * g.channels;
      const int64_t cell = (i0 % g.size[0] * g.size[1] + i1 % g.size[1]) * g.size[2];
      for (int64_t p2 = 0; p2 < g.out[2]; ++p2)
        for (int64_t c2 = 0; c2 < g.size[2]; ++c2)
          for (int64_t c = 0; c < g.channels; c += 2 * kWidth) {
            const int64_t at = from + p2 * g.channels + c;
            spread_bits(dy + at, winner + at, cell + c2, to + (p2 * g.size[2] + c2) * g.channels + c);
          }
      std::memset(to + covered, 0, static_cast<size_t>(width - covered) * sizeof(Bfloat16));
    }
  });
}

}  // namespace pooling

// dx = the sum of dy over the windows that a cell won.
template <typename Element, typename Index>
void max_pooling_gradient(const PoolingGeometry& g, const Element* dy, const Index* index, Element* dx, Workers& workers) {
  using namespace pooling;
  if constexpr (sizeof(Element) == sizeof(Bfloat16) && sizeof(Index) == 1) {
    if (is_tiled(g) && g.channels % (2 * kWidth) == 0) return spread_tiles(g, dy, index, dx, workers);
  }
  if (is_tiled(g)) {
    for_tiles(g, dx, workers, [&](auto vector, int64_t at, int32_t cell, Element* cells) {
      using V = decltype(vector);
      const typename V::Floats gradient = V::load(dy + at);
      const typename V::Integers winner = V::load_index(index + at) - cell;
      for (int64_t c2 = 0; c2 < g.size[2]; ++c2) {
        V::store(cells + c2 * g.channels, winner == static_cast<int32_t>(c2) ? gradient : typename V::Floats{});
      }
    });
    return;
  }
  const Ranges windows = ranges_of(g, g.in, workers, windows_around);
  for_inputs(g, workers, [&](int64_t in, int64_t image, int64_t i0, int64_t i1, int64_t i2) {
    const Range w0 = windows.axis[0][i0], w1 = windows.axis[1][i1], w2 = windows.axis[2][i2];
    for_channels(g.channels, [&](auto vector, int64_t channel) {
      using V = decltype(vector);
      typename V::Floats total = typename V::Floats{};
      for (int64_t p0 = w0.begin; p0 < w0.end; ++p0) {
        const int64_t c0 = i0 + g.before[0] - p0 * g.stride[0];
        for (int64_t p1 = w1.begin; p1 < w1.end; ++p1) {
          const int64_t c1 = i1 + g.before[1] - p1 * g.stride[1];
          for (int64_t p2 = w2.begin; p2 < w2.end; ++p2) {
            const int64_t c2 = i2 + g.before[2] - p2 * g.stride[2];
            const int64_t at = (image + (p0 * g.out[1] + p1) * g.out[2] + p2) * g.channels + channel;
            const auto won = V::load_index(index + at) == static_cast<int32_t>((c0 * g.size[1] + c1) * g.size[2] + c2);
            total += won ? V::load(dy + at) : typename V::Floats{};
          }
        }
      }
      V::store(dx + in * g.channels + channel, total);
    });
  });
}

// y = the sum of each window, divided, for a mean, by the number of its cells inside the picture.
template <typename Element>
void sum_pooling_forward(const PoolingGeometry& g, const Element* x, bool mean, Element* y, Workers& workers) {
  using namespace pooling;
  const Ranges cells = ranges_of(g, g.out, workers, cells_inside);
  const Cells listed = cells_of(g, workers);
  for_outputs(g, workers, [&](int64_t out, int64_t image, int64_t p0, int64_t p1, int64_t p2) {
    const Range k0 = cells.axis[0][p0], k1 = cells.axis[1][p1], k2 = cells.axis[2][p2];
    const int64_t s0 = p0 * g.stride[0] - g.before[0], s1 = p1 * g.stride[1] - g.before[1],
                  s2 = p2 * g.stride[2] - g.before[2];
    const float divisor = mean ? static_cast<float>(window_count(k0, k1, k2)) : 1.0f;
    if (listed.count && whole(g, 0, k0) && whole(g, 1, k1) && whole(g, 2, k2)) {
      for_channels(g.channels, [&](auto vector, int64_t channel) {
        using V = decltype(vector);
        const Element* from = x + (image + (s0 * g.in[1] + s1) * g.in[2] + s2) * g.channels + channel;
        typename V::Floats total = V::load(from);
        for (int64_t k = 1; k < listed.count; ++k) total += V::load(from + listed.offset[k]);
        V::store(y + out * g.channels + channel, total / divisor);
      });
      return;
    }
    for_channels(g.channels, [&](auto vector, int64_t channel) {
      using V = decltype(vector);
      typename V::Floats total = typename V::Floats{};
      for (int64_t c0 = k0.begin; c0 < k0.end; ++c0) {
        for (int64_t c1 = k1.begin; c1 < k1.end; ++c1) {
          const Element* row = x + (image + ((s0 + c0) * g.in[1] + s1 + c1) * g.in[2] + s2) * g.channels + channel;
          for (int64_t c2 = k2.begin; c2 < k2.end; ++c2) total += V::load(row + c2 * g.channels);
        }
      }
      V::store(y + out * g.channels + channel, total / divisor);
    });
  });
}

// dx = the sum of dy (divided as in the forward direction) over the windows in which a cell lies.
template <typename Element>
void sum_pooling_gradient(const PoolingGeometry& g, const Element* dy, bool mean, Element* dx, Workers& workers) {
  using namespace pooling;
  if (is_tiled(g)) {
    const float divisor = mean ? static_cast<float>(g.size[0] * g.size[1] * g.size[2]) : 1.0f;
    for_tiles(g, dx, workers, [&](auto vector, int64_t at, int32_t, Element* cells) {
      using V = decltype(vector);
      const typename V::Floats share = V::load(dy + at) / divisor;
      for (int64_t c2 = 0; c2 < g.size[2]; ++c2) V::store(cells + c2 * g.channels, share);
    });
    return;
  }
  const Ranges windows = ranges_of(g, g.in, workers, windows_around);
  const Ranges cells = ranges_of(g, g.out, workers, cells_inside);
  for_inputs(g, workers, [&](int64_t in, int64_t image, int64_t i0, int64_t i1, int64_t i2) {
    const Range w0 = windows.axis[0][i0], w1 = windows.axis[1][i1], w2 = windows.axis[2][i2];
    for_channels(g.channels, [&](auto vector, int64_t channel) {
      using V = decltype(vector);
      typename V::Floats total = typename V::Floats{};
      for (int64_t p0 = w0.begin; p0 < w0.end; ++p0) {
        for (int64_t p1 = w1.begin; p1 < w1.end; ++p1) {
          const Element* row = dy + (image + (p0 * g.out[1] + p1) * g.out[2]) * g.channels + channel;
          for (int64_t p2 = w2.begin; p2 < w2.end; ++p2) {
            const int64_t count = window_count(cells.axis[0][p0], cells.axis[1][p1], cells.axis[2][p2]);
            total += V::load(row + p2 * g.channels) / (mean ? static_cast<float>(count) : 1.0f);
          }
        }
      }
      V::store(dx + in * g.channels + channel, total);
    });
  });
}

}  // namespace convista::CONVISTA_TARGET

// Batch normalisation while training, with relu or without, and its gradient; channels last. A row is one position of one picture.
//
// All passes walk over whole rows, so memory is read in order; what belongs to the channels comes from the first-level cache.
// Rows are cut into chunks by shape alone, each chunk is one task with sums of its own, and they are added in order.
#pragma once
#include <cmath>
#include <cstring>

#include "geometry.h"
#include "memory.h"
#include "workers.h"

namespace convista::CONVISTA_TARGET {
namespace normalization {

struct Chunks {
  int64_t rows, count;
};

// 128 KB, so that the second pass over a chunk finds it in the second-level cache; sums are at most an eighth of the rows.
inline Chunks chunks_of(const NormalizationGeometry& g) {
  const int64_t all = g.batch * g.positions, rows = larger(16, smaller(all, 32768 / g.channels));
  return {rows, divide_up(all, rows)};
}

// body(first, last, weight) for runs of rows whose pictures have one weight.
template <typename Body>
void visit_runs(const NormalizationGeometry& g, const float* mask, int64_t first, int64_t last, const Body& body) {
  while (first < last) {
    int64_t picture = first / g.positions;
    const float weight = mask[picture];
    while (++picture * g.positions < last && mask[picture] == weight) continue;
    const int64_t end = smaller(last, picture * g.positions);
    body(first, end, weight);
    first = end;
  }
}

template <typename Body>
void visit_chunk(const NormalizationGeometry& g, const Chunks& chunks, const float* mask, int64_t chunk, const Body& body) {
  visit_runs(g, mask, chunk * chunks.rows, smaller((chunk + 1) * chunks.rows, g.batch * g.positions), body);
}

// body(channel, lanes) for every vector of channels.
template <typename Body>
inline void visit_channels(int64_t channels, const Body& body) {
  int64_t channel = 0;
  for (; channel + kWidth <= channels; channel += kWidth) body(channel, kWidth);
  if (channel < channels) body(channel, static_cast<int>(channels - channel));
}

inline int64_t padded(int64_t channels) { return divide_up(channels, kWidth) * kWidth; }

// Two numbers a channel for each chunk, and how much its rows weigh.
struct Sums {
  int64_t width;
  float* numbers;
  double* weights;
  float* first(int64_t chunk) const { return numbers + 2 * chunk * width; }
  float* second(int64_t chunk) const { return first(chunk) + width; }
};

inline Sums take_sums(Layout& memory, const NormalizationGeometry& g, const Chunks& chunks) {
  const int64_t width = padded(g.channels);
  float* numbers = memory.take<float>(2 * chunks.count * width);
  return {width, numbers, memory.take<double>(chunks.count)};
}

// What is the same for all rows, padded to whole vectors.
struct Channels {
  float *mean, *factor, *offset, *slope, *level;
};

inline Channels take_channels(Layout& memory, int64_t channels) {
  const int64_t width = padded(channels);
  float* numbers = memory.take<float>(5 * width);
  return {numbers, numbers + width, numbers + 2 * width, numbers + 3 * width, numbers + 4 * width};
}

// The mean of a chunk's rows, added up as distances from its first row, and the sum of their squared distances from it: nothing
// cancels, however far from zero they are.
inline void measure_chunk(const NormalizationGeometry& g, const Chunks& chunks, const float* x, const float* mask, const Sums& sums,
                          int64_t chunk) {
  float *mean = sums.first(chunk), *squares = sums.second(chunk);
  std::memset(mean, 0, static_cast<size_t>(2 * sums.width) * sizeof(float));
  double total = 0;
  const float* base = nullptr;
  visit_chunk(g, chunks, mask, chunk, [&](int64_t first, int64_t last, float weight) {
    if (weight == 0) return;  // rows that only fill up a batch count for nothing
    if (base == nullptr) base = x + first * g.channels;
    total += static_cast<double>(weight) * static_cast<double>(last - first);
    const Vector weights = fill(weight);
    for (const float* row = x + first * g.channels; first < last; ++first, row += g.channels)
      visit_channels(g.channels, [&](int64_t c, int lanes) {
        store(mean + c, load(mean + c) + (load_lanes(row + c, lanes) - load_lanes(base + c, lanes)) * weights);
      });
  });
  sums.weights[chunk] = total;
  if (total == 0) return;
  const Vector share = fill(static_cast<float>(1 / total));
  visit_channels(g.channels, [&](int64_t c, int lanes) { store(mean + c, load_lanes(base + c, lanes) + load(mean + c) * share); });
  visit_chunk(g, chunks, mask, chunk, [&](int64_t first, int64_t last, float weight) {
    if (weight == 0) return;
    const Vector weights = fill(weight);
    for (const float* row = x + first * g.channels; first < last; ++first, row += g.channels)
      visit_channels(g.channels, [&](int64_t c, int lanes) {
        const Vector distance = load_lanes(row + c, lanes) - load(mean + c);
        store(squares + c, load(squares + c) + distance * distance * weights);
      });
  });
}

constexpr int64_t kChannelsTogether = 64;

template <typename Body>
void for_channels(int64_t channels, Workers& workers, const Body& body) {
  workers.run(static_cast<int>(divide_up(channels, kChannelsTogether)), [&](int task) {
    body(task * kChannelsTogether, smaller((task + 1) * kChannelsTogether, channels));
  });
}

inline double total_weight(const Sums& sums, int64_t chunks) {
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total += sums.weights[chunk];
  return total;
}

inline void join_chunks(const Sums& sums, int64_t chunks, double total, int64_t first, int64_t last, float* mean, float* variance) {
  double means[kChannelsTogether] = {}, squares[kChannelsTogether] = {};
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t c = first; c < last; ++c) means[c - first] += sums.weights[chunk] * static_cast<double>(sums.first(chunk)[c]);
  for (int64_t c = first; c < last; ++c) means[c - first] /= total;
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t c = first; c < last; ++c) {
      const double distance = static_cast<double>(sums.first(chunk)[c]) - means[c - first];
      squares[c - first] += static_cast<double>(sums.second(chunk)[c]) + sums.weights[chunk] * distance * distance;
    }
  for (int64_t c = first; c < last; ++c) {
    mean[c] = static_cast<float>(means[c - first]);
    variance[c] = static_cast<float>(squares[c - first] / total);
  }
}

// Forward and gradient must round alike, or relu would let through other values than it kept.
inline Vector normalized(const Channels& channels, Vector value, int64_t c) {
  return (value - load(channels.mean + c)) * load(channels.factor + c) + load(channels.offset + c);
}

inline void place_channels(const Channels& to, int64_t channels, const float* mean, const float* variance, const float* scale,
                           const float* offset, float epsilon) {
  std::memset(to.mean, 0, static_cast<size_t>(5 * padded(channels)) * sizeof(float));
  for (int64_t c = 0; c < channels; ++c) {
    to.mean[c] = mean[c];
    to.factor[c] = scale[c] / std::sqrt(variance[c] + epsilon);
    to.offset[c] = offset[c];
  }
}

template <bool Relu>
void write_chunk(const NormalizationGeometry& g, const Chunks& chunks, const float* x, const Channels& channels, float* y, int64_t chunk) {
  const int64_t rows = g.batch * g.positions, last = smaller((chunk + 1) * chunks.rows, rows);
  const bool streamed = may_stream(y, rows, g.channels);
  for (int64_t row = chunk * chunks.rows; row < last; ++row)
    visit_channels(g.channels, [&](int64_t c, int lanes) {
      const Vector value = normalized(channels, load_lanes(x + row * g.channels + c, lanes), c);
      write_lanes(y + row * g.channels + c, Relu ? relu_of(value) : value, lanes, streamed);
    });
  end_of_stream();
}

// What relu lets through: nothing at zero and at NaN.
template <bool Relu>
Vector let_through(const Channels& channels, Vector value, Vector gradient, int64_t c) {
  return Relu ? (normalized(channels, value, c) > Vector{} ? gradient : Vector{}) : gradient;
}

// Σ dy and Σ dy · (x − mean) of a chunk.
template <bool Relu>
void add_chunk(const NormalizationGeometry& g, const Chunks& chunks, const float* dy, const float* x, const float* mask,
               const Channels& channels, const Sums& sums, int64_t chunk) {
  float *plain = sums.first(chunk), *turned = sums.second(chunk);
  std::memset(plain, 0, static_cast<size_t>(2 * sums.width) * sizeof(float));
  double total = 0;
  visit_chunk(g, chunks, mask, chunk, [&](int64_t first, int64_t last, float weight) {
    total += static_cast<double>(weight) * static_cast<double>(last - first);
    for (int64_t row = first; row < last; ++row)
      visit_channels(g.channels, [&](int64_t c, int lanes) {
        const Vector value = load_lanes(x + row * g.channels + c, lanes);
        const Vector gradient = let_through<Relu>(channels, value, load_lanes(dy + row * g.channels + c, lanes), c);
        store(plain + c, load(plain + c) + gradient);
        store(turned + c, load(turned + c) + gradient * (value - load(channels.mean + c)));
      });
  });
  sums.weights[chunk] = total;
}

// dx = factor · (dy − weight · (Σ dy + (x − mean) · Σ dy·(x − mean) / (variance + epsilon)) / Σ weight), on the way dscale and doffset.
inline void join_gradients(const Sums& sums, int64_t chunks, double total, int64_t first, int64_t last, const float* variance, float epsilon,
                           const Channels& channels, float* dscale, float* doffset) {
  double plain[kChannelsTogether] = {}, turned[kChannelsTogether] = {};
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t c = first; c < last; ++c) {
      plain[c - first] += static_cast<double>(sums.first(chunk)[c]);
      turned[c - first] += static_cast<double>(sums.second(chunk)[c]);
    }
  for (int64_t c = first; c < last; ++c) {
    const double spread = static_cast<double>(variance[c]) + static_cast<double>(epsilon);
    const double factor = static_cast<double>(channels.factor[c]);
    doffset[c] = static_cast<float>(plain[c - first]);
    dscale[c] = static_cast<float>(turned[c - first] / std::sqrt(spread));
    channels.level[c] = static_cast<float>(factor * plain[c - first] / total);
    channels.slope[c] = static_cast<float>(factor * turned[c - first] / spread / total);
  }
}

template <bool Relu>
void write_gradient_chunk(const NormalizationGeometry& g, const Chunks& chunks, const float* dy, const float* x, const float* mask,
                          const Channels& channels, float* dx, int64_t chunk) {
  const bool streamed = may_stream(dx, g.batch * g.positions, g.channels);
  visit_chunk(g, chunks, mask, chunk, [&](int64_t first, int64_t last, float weight) {
    const Vector weights = fill(weight);
    for (int64_t row = first; row < last; ++row)
      visit_channels(g.channels, [&](int64_t c, int lanes) {
        const Vector value = load_lanes(x + row * g.channels + c, lanes);
        const Vector gradient = let_through<Relu>(channels, value, load_lanes(dy + row * g.channels + c, lanes), c);
        const Vector common = (value - load(channels.mean + c)) * load(channels.slope + c) + load(channels.level + c);
        write_lanes(dx + row * g.channels + c, gradient * load(channels.factor + c) - weights * common, lanes, streamed);
      });
  });
  end_of_stream();
}

}  // namespace normalization

// `mask` has one weight for each picture, 0 for those that only fill up a batch.
inline void normalization_forward(const NormalizationGeometry& g, const float* x, const float* scale, const float* offset,
                                  const float* mask, float epsilon, bool relu, float* y, float* mean, float* variance, Workers& workers) {
  using namespace normalization;
  const Chunks chunks = chunks_of(g);
  Layout size;
  take_sums(size, g, chunks);
  take_channels(size, g.channels);
  Layout memory(workers.shared(size.bytes()));
  const Sums sums = take_sums(memory, g, chunks);
  const Channels channels = take_channels(memory, g.channels);
  const int count = static_cast<int>(chunks.count);
  workers.run(count, [&](int chunk) { measure_chunk(g, chunks, x, mask, sums, chunk); });
  const double total = total_weight(sums, chunks.count);
  for_channels(g.channels, workers,
               [&](int64_t first, int64_t last) { join_chunks(sums, chunks.count, total, first, last, mean, variance); });
  place_channels(channels, g.channels, mean, variance, scale, offset, epsilon);
  workers.run(count, [&](int chunk) {
    relu ? write_chunk<true>(g, chunks, x, channels, y, chunk) : write_chunk<false>(g, chunks, x, channels, y, chunk);
  });
}

inline void normalization_gradient(const NormalizationGeometry& g, const float* dy, const float* x, const float* scale, const float* offset,
                                   const float* mean, const float* variance, const float* mask, float epsilon, bool relu, float* dx,
                                   float* dscale, float* doffset, Workers& workers) {
  using namespace normalization;
  const Chunks chunks = chunks_of(g);
  Layout size;
  take_sums(size, g, chunks);
  take_channels(size, g.channels);
  Layout memory(workers.shared(size.bytes()));
  const Sums sums = take_sums(memory, g, chunks);
  const Channels channels = take_channels(memory, g.channels);
  const int count = static_cast<int>(chunks.count);
  place_channels(channels, g.channels, mean, variance, scale, offset, epsilon);
  workers.run(count, [&](int chunk) {
    relu ? add_chunk<true>(g, chunks, dy, x, mask, channels, sums, chunk) : add_chunk<false>(g, chunks, dy, x, mask, channels, sums, chunk);
  });
  const double total = total_weight(sums, chunks.count);
  for_channels(g.channels, workers, [&](int64_t first, int64_t last) {
    join_gradients(sums, chunks.count, total, first, last, variance, epsilon, channels, dscale, doffset);
  });
  workers.run(count, [&](int chunk) {
    relu ? write_gradient_chunk<true>(g, chunks, dy, x, mask, channels, dx, chunk)
         : write_gradient_chunk<false>(g, chunks, dy, x, mask, channels, dx, chunk);
  });
}

}  // namespace convista::CONVISTA_TARGET

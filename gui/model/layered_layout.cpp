#include "gui/model/layered_layout.h"

#include <algorithm>
#include <numeric>

namespace tpsim::gui {
namespace {

constexpr float kGapX = 26, kGapY = 34, kDummyWidth = 14;
constexpr int kSweeps = 6;

struct Vertex {
  int layer = 0;
  float width = kDummyWidth, height = 0, x = 0;
  std::vector<int> up, down;
};

class Layout {
public:
  Layout(const LayerGraph& graph, const std::vector<BoxSize>& sizes) : graph_(graph) {
    const auto depth = depths(graph);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      vertices_.push_back({depth[i], sizes[i].width, sizes[i].height, 0, {}, {}});
    pull_inputs_down();
    for (const GraphEdge& edge : graph.edges) chains_.push_back(chain(edge.from, edge.to));
    for (std::size_t i = 0; i < vertices_.size(); ++i) layer_of(vertices_[i].layer).push_back(static_cast<int>(i));
  }

  PlacedGraph run() {
    for (int sweep = 0; sweep < kSweeps; ++sweep) order(sweep % 2 == 0);
    pack();
    for (int sweep = 0; sweep < kSweeps; ++sweep) straighten(sweep % 2 == 0);
    return result();
  }

private:
  Vertex& at(int i) { return vertices_[static_cast<std::size_t>(i)]; }
  std::vector<int>& layer_of(int layer) {
    if (layers_.size() <= static_cast<std::size_t>(layer)) layers_.resize(static_cast<std::size_t>(layer) + 1);
    return layers_[static_cast<std::size_t>(layer)];
  }

  // Nodes that nothing leads to lie just above what they feed.
  void pull_inputs_down() {
    std::vector<int> highest(vertices_.size(), -1);
    std::vector<bool> fed(vertices_.size(), false);
    for (const GraphEdge& e : graph_.edges) {
      fed[static_cast<std::size_t>(e.to)] = true;
      int& h = highest[static_cast<std::size_t>(e.from)];
      const int next = at(e.to).layer - 1;
      h = h < 0 ? next : std::min(h, next);
    }
    for (std::size_t i = 0; i < vertices_.size(); ++i)
      if (!fed[i] && highest[i] > 0 && graph_.nodes[i].name != "input") vertices_[i].layer = highest[i];
  }

  std::vector<int> chain(int from, int to) {
    std::vector<int> path = {from};
    for (int layer = at(from).layer + 1; layer < at(to).layer; ++layer) {
      vertices_.push_back({layer, kDummyWidth, 0, 0, {}, {}});
      path.push_back(static_cast<int>(vertices_.size()) - 1);
    }
    path.push_back(to);
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
      at(path[i]).down.push_back(path[i + 1]);
      at(path[i + 1]).up.push_back(path[i]);
    }
    return path;
  }

  std::vector<float> places() const {
    std::vector<float> place(vertices_.size(), 0);
    for (const auto& layer : layers_)
      for (std::size_t i = 0; i < layer.size(); ++i)
        place[static_cast<std::size_t>(layer[i])] = static_cast<float>(i) - static_cast<float>(layer.size()) / 2;
    return place;
  }

  static float mean(const std::vector<int>& of, const std::vector<float>& place, float otherwise) {
    if (of.empty()) return otherwise;
    float sum = 0;
    for (const int i : of) sum += place[static_cast<std::size_t>(i)];
    return sum / static_cast<float>(of.size());
  }

  void order(bool downwards) {
    auto place = places();
    const auto arrange = [&](std::vector<int>& layer) {
      std::vector<float> key(vertices_.size(), 0);
      for (const int v : layer)
        key[static_cast<std::size_t>(v)] =
            mean(downwards ? at(v).up : at(v).down, place, place[static_cast<std::size_t>(v)]);
      std::stable_sort(layer.begin(), layer.end(), [&](int a, int b) {
        return key[static_cast<std::size_t>(a)] < key[static_cast<std::size_t>(b)];
      });
      for (std::size_t i = 0; i < layer.size(); ++i)
        place[static_cast<std::size_t>(layer[i])] = static_cast<float>(i) - static_cast<float>(layer.size()) / 2;
    };
    if (downwards) std::for_each(layers_.begin(), layers_.end(), arrange);
    if (!downwards) std::for_each(layers_.rbegin(), layers_.rend(), arrange);
  }

  void pack() {
    for (const auto& layer : layers_) {
      float total = -kGapX;
      for (const int v : layer) total += at(v).width + kGapX;
      float x = -total / 2;
      for (const int v : layer) {
        at(v).x = x + at(v).width / 2;
        x += at(v).width + kGapX;
      }
    }
  }

  // Moves nodes under (over) their neighbours as far as the order allows.
  void straighten(bool downwards) {
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      auto& layer = layers_[downwards ? l : layers_.size() - 1 - l];
      std::vector<float> wish(layer.size());
      for (std::size_t i = 0; i < layer.size(); ++i) {
        const auto& near = downwards ? at(layer[i]).up : at(layer[i]).down;
        float sum = 0;
        for (const int n : near) sum += at(n).x;
        wish[i] = near.empty() ? at(layer[i]).x : sum / static_cast<float>(near.size());
      }
      spread(layer, wish);
    }
  }

  // From the left everything as far right as wished, then from the right the same, and the middle of both.
  void spread(const std::vector<int>& layer, const std::vector<float>& wish) {
    std::vector<float> low = wish, high = wish;
    const auto distance = [&](std::size_t i) { return (at(layer[i]).width + at(layer[i + 1]).width) / 2 + kGapX; };
    for (std::size_t i = 0; i + 1 < layer.size(); ++i) low[i + 1] = std::max(wish[i + 1], low[i] + distance(i));
    for (std::size_t i = layer.size(); i-- > 1;) high[i - 1] = std::min(wish[i - 1], high[i] - distance(i - 1));
    for (std::size_t i = 0; i < layer.size(); ++i) at(layer[i]).x = (low[i] + high[i]) / 2;
  }

  PlacedGraph result() {
    PlacedGraph placed;
    float left = 0, right = 0;
    for (const Vertex& v : vertices_) {
      left = std::min(left, v.x - v.width / 2);
      right = std::max(right, v.x + v.width / 2);
    }
    std::vector<float> top, tall;
    float y = 0;
    for (const auto& layer : layers_) {
      float height = 0;
      for (const int v : layer) height = std::max(height, at(v).height);
      top.push_back(y);
      tall.push_back(height);
      y += height + kGapY;
    }
    const auto layer_index = [&](int v) { return static_cast<std::size_t>(at(v).layer); };
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Vertex& v = vertices_[i];
      const std::size_t l = layer_index(static_cast<int>(i));
      placed.nodes.push_back({v.x - v.width / 2 - left, top[l] + (tall[l] - v.height) / 2});
    }
    for (const auto& path : chains_) placed.edges.push_back(points(path, top, tall, left));
    placed.width = right - left;
    placed.height = std::max(0.0F, y - kGapY);
    return placed;
  }

  std::vector<Point> points(const std::vector<int>& path, const std::vector<float>& top, const std::vector<float>& tall,
                            float left) {
    std::vector<Point> line;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const Vertex& v = at(path[i]);
      const auto l = static_cast<std::size_t>(v.layer);
      const float middle = top[l] + tall[l] / 2, half = v.height / 2;
      if (i > 0 && i + 1 < path.size()) {
        line.push_back({v.x - left, top[l]});
        line.push_back({v.x - left, top[l] + tall[l]});
      } else {
        line.push_back({v.x - left, i == 0 ? middle + half : middle - half});
      }
    }
    return line;
  }

  const LayerGraph& graph_;
  std::vector<Vertex> vertices_;
  std::vector<std::vector<int>> layers_, chains_;
};

}  // namespace

PlacedGraph place_in_layers(const LayerGraph& graph, const std::vector<BoxSize>& sizes) {
  if (graph.nodes.empty()) return {};
  return Layout(graph, sizes).run();
}

}  // namespace tpsim::gui

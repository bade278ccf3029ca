// Runs the harness without Python, and counts in every clock cycle which bits of all nets have changed.
//
// The model's nets are found through Verilator's tables of public variables. Each cycle, after the rising
// edge has settled, they are copied into one array and compared with the copy of the cycle before, a word at
// a time; only words that differ are looked at bit by bit. Clocks, named `clk`, have no bits.
//
// activity.nets: a line per net: first bit, number of bits, instance path, name; separated by tabs.
// activity.counts: after step +count_from=N and after the last: cycles so far, then toggles of every bit, then the
// cycles that it was high. activity.steps: for every step and phase the toggles by instance, which are listed
// in activity.instances. All numbers are int64.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_syms.h"

namespace {

constexpr size_t word_size = sizeof(uint64_t);
constexpr int64_t no_bit = -1;
constexpr size_t n_phases = 3;

struct Net {
    const uint8_t* data;
    size_t n_bytes, n_bits, instance;
    std::string path, name;
};

// A value of the harness that is read every cycle.
template <typename T>
const T* harness_value(const char* name) {
    const VerilatedScope* scope = Verilated::threadContextp()->scopeFind("TOP.harness");
    const VerilatedVar* variable = scope ? scope->varFind(name) : nullptr;
    if (!variable || variable->totalSize() != sizeof(T)) vl_fatal(__FILE__, __LINE__, "harness", name);
    return static_cast<const T*>(variable->datap());
}

class ToggleCounter {
public:
    ToggleCounter() {
        std::vector<Net> nets = all_nets();
        std::FILE* names = std::fopen("activity.nets", "w");
        size_t n_bytes = 0;
        for (const Net& net : nets) {
            std::fprintf(names, "%zu\t%zu\t%s\t%s\n", toggles_.size(), net.n_bits, net.path.c_str(), net.name.c_str());
            const size_t first_bit = toggles_.size();
            toggles_.resize(first_bit + net.n_bits);
            for (size_t byte = 0; byte < net.n_bytes; ++byte) {
                first_bit_.push_back(8 * byte < net.n_bits ? int64_t(first_bit + 8 * byte) : no_bit);
                instance_.push_back(net.instance);
            }
            if (!spans_.empty() && spans_.back().data + spans_.back().n_bytes == net.data)
                spans_.back().n_bytes += net.n_bytes;
            else
                spans_.push_back({net.data, net.n_bytes});
            n_bytes += net.n_bytes;
        }
        std::fclose(names);
        high_.resize(toggles_.size());
        n_words_ = (n_bytes + word_size - 1) / word_size;
        first_bit_.resize(n_words_ * word_size, no_bit);
        instance_.resize(n_words_ * word_size);
        now_.resize(n_words_ * word_size);
        last_.resize(n_words_ * word_size);
        counts_ = std::fopen("activity.counts", "wb");
        steps_ = std::fopen("activity.steps", "wb");
        by_instance_.resize(n_phases * n_instances_);
    }

    void sample() {
        uint8_t* to = now_.data();
        for (const Span& span : spans_) {
            std::memcpy(to, span.data, span.n_bytes);
            to += span.n_bytes;
        }
        const size_t phase = std::min<size_t>(*phase_, n_phases - 1);
        for (size_t word = 0; word < n_words_; ++word) {
            uint64_t before, after;
            std::memcpy(&before, &last_[word * word_size], word_size);
            std::memcpy(&after, &now_[word * word_size], word_size);
            if (before == after) continue;
            for (uint64_t changed = before ^ after; changed; changed &= changed - 1) {
                const int at = __builtin_ctzll(changed);
                const size_t byte = word * word_size + at / 8;
                const int64_t bit = first_bit_[byte] + at % 8;
                ++toggles_[bit];
                high_[bit] += (after >> at) & 1 ? -n_cycles_ : n_cycles_;
                ++by_instance_[phase * n_instances_ + instance_[byte]];
            }
        }
        now_.swap(last_);
        ++n_cycles_;
        if (step_is_over_) end_step();
        step_is_over_ = *n_steps_done_ != step_;  // counted a cycle later, when a run that stops there ends
    }

    ~ToggleCounter() {
        std::fclose(counts_);
        std::fclose(steps_);
    }

    void count_from(uint32_t step) {
        from_ = step;
        if (step == step_) snapshot();
    }

private:
    struct Span {
        const uint8_t* data;
        size_t n_bytes;
    };

    std::vector<Net> all_nets() {
        std::vector<Net> nets;
        const std::string chip = "TOP.harness.chip";
        std::FILE* instances = std::fopen("activity.instances", "w");
        for (const auto& scope : *Verilated::threadContextp()->scopeNameMap()) {
            const std::string path = scope.second->name();
            if (path.compare(0, chip.size(), chip) != 0 || !scope.second->varsp()) continue;
            for (const auto& variable : *scope.second->varsp()) {
                const VerilatedVar& net = variable.second;
                if (net.isParam() || net.udims()) continue;
                const bool is_clock = std::string(net.name()) == "clk";
                nets.push_back({static_cast<const uint8_t*>(net.datap()), is_clock ? 0 : net.totalSize(),
                                is_clock ? 0 : size_t(net.entBits()), n_instances_,
                                path.substr(chip.size()), net.name()});
            }
            std::fprintf(instances, "%s\n", path.c_str() + chip.size());
            ++n_instances_;
        }
        std::fclose(instances);
        std::sort(nets.begin(), nets.end(), [](const Net& a, const Net& b) { return a.data < b.data; });
        return nets;
    }

    void end_step() {
        std::fwrite(by_instance_.data(), sizeof(int64_t), by_instance_.size(), steps_);
        std::fill(by_instance_.begin(), by_instance_.end(), 0);
        step_ = *n_steps_done_;
        if (step_ == from_ || step_ == *n_steps_) snapshot();
    }

    void snapshot() {
        std::vector<int64_t> high = high_;
        for (size_t byte = 0; byte < last_.size(); ++byte)
            for (int at = 0; at < 8; ++at)
                if (last_[byte] >> at & 1) high[first_bit_[byte] + at] += n_cycles_;
        std::fwrite(&n_cycles_, sizeof n_cycles_, 1, counts_);
        std::fwrite(toggles_.data(), sizeof(int64_t), toggles_.size(), counts_);
        std::fwrite(high.data(), sizeof(int64_t), high.size(), counts_);
    }

    const uint32_t* n_steps_ = harness_value<uint32_t>("n_steps");
    const uint32_t* n_steps_done_ = harness_value<uint32_t>("n_steps_done");
    const uint8_t* phase_ = harness_value<uint8_t>("phase");
    std::vector<Span> spans_;
    std::vector<int64_t> first_bit_, toggles_, high_, by_instance_;
    std::vector<size_t> instance_;
    std::vector<uint8_t> now_, last_;
    size_t n_instances_ = 0, n_words_ = 0;
    int64_t n_cycles_ = 0;
    uint32_t step_ = *n_steps_done_, from_ = ~0u;
    bool step_is_over_ = false;
    std::FILE *counts_, *steps_;
};

}  // namespace

int main(int argc, char** argv) {
    constexpr int half_period = 5000;  // ps, as in the harness that has the clock itself
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top{&context};
    top.eval();
    ToggleCounter counter;
    uint32_t from = 0;
    if (std::sscanf(context.commandArgsPlusMatch("count_from="), "+count_from=%u", &from) == 1) counter.count_from(from);
    while (!context.gotFinish()) {
        context.timeInc(half_period);
        top.clk = 1;
        top.eval();
        counter.sample();
        context.timeInc(half_period);
        top.clk = 0;
        top.eval();
    }
    top.final();
}

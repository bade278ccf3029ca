// Runs the harness without Python, and counts in every clock cycle which bits of all nets have changed.
//
// The model's nets are found through Verilator's tables of public variables. Each cycle, after the rising
// edge has settled, they are compared with a copy of them from the cycle before, a block at a time; only
// words that differ are looked at bit by bit. Nothing is counted before the end of step +count_from=N nor
// after the last step. Clocks, named `clk`, have no bits.
//
// counted.nets: a line per net: instance path, name, and in hexadecimal which of its bits count by step and
// instance, where every wire counts once although it has several names. If it is empty, all bits of all do.
// activity.nets: a line per net: first bit, number of bits, instance path, name; separated by tabs.
// activity.counts: cycles, then for every bit its toggles and the cycles that it was high. activity.steps: for
// every step and phase the toggles by instance, which are listed in activity.instances. All are int64.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_syms.h"

namespace {

constexpr size_t block_size = 128;  // bytes that are compared at once
constexpr size_t word_size = sizeof(uint64_t);
constexpr size_t n_phases = 3;

struct Bit {
    int64_t toggles, high;
};

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
    if (!variable || variable->totalSize() != sizeof(T)) vl_fatal(__FILE__, __LINE__, "", ("harness must have " + std::string(name)).c_str());
    return static_cast<const T*>(variable->datap());
}

class ToggleCounter {
public:
    explicit ToggleCounter(uint32_t from) : from_{from} {
        std::map<std::string, std::string> masks = counted_bits();
        const bool every_bit = masks.empty();
        size_t n_bits = 0;
        std::FILE* names = std::fopen("activity.nets", "w");
        for (const Net& net : all_nets()) {
            const size_t first_bit = 8 * last_.size();
            n_bits = first_bit + net.n_bits;
            std::fprintf(names, "%zu\t%zu\t%s\t%s\n", first_bit, net.n_bits, net.path.c_str(), net.name.c_str());
            last_.resize(last_.size() + net.n_bytes);
            instance_.resize(last_.size(), net.instance);
            const auto mask = masks.extract(net.path + '\t' + net.name);
            for (size_t bit = 0; bit < 8 * net.n_bytes; ++bit)
                counts_once_.push_back(mask ? hex_bit(mask.mapped(), bit) : every_bit);
            if (!spans_.empty() && spans_.back().data + spans_.back().n_bytes == net.data)
                spans_.back().n_bytes += net.n_bytes;
            else
                spans_.push_back({net.data, net.n_bytes});
        }
        std::fclose(names);
        if (!masks.empty())
            vl_fatal(__FILE__, __LINE__, "", ("no such net to count: " + masks.begin()->first).c_str());
        bits_.resize(n_bits);
        by_instance_.resize(n_phases * n_instances_);
        steps_ = std::fopen("activity.steps", "wb");
        if (step_ == from_) begin();
    }

    void sample() {
        if (counting_) compare();
        if (step_is_over_) end_step();
        step_is_over_ = *n_steps_done_ != step_;  // a cycle later, when a run that stops there ends
    }

private:
    struct Span {
        const uint8_t* data;
        size_t n_bytes;
    };

    // Returns, by path and name with a tab between, which bits count by step and instance, in hexadecimal.
    static std::map<std::string, std::string> counted_bits() {
        std::map<std::string, std::string> masks;
        std::ifstream file{"counted.nets"};
        for (std::string path, name, mask; std::getline(file, path, '\t') && std::getline(file, name, '\t') &&
                                           std::getline(file, mask);)
            masks[path + '\t' + name] = mask;
        return masks;
    }

    static bool hex_bit(const std::string& digits, size_t bit) {
        if (bit / 4 >= digits.size()) return false;
        const char digit[] = {digits[digits.size() - 1 - bit / 4], '\0'};
        return std::strtoul(digit, nullptr, 16) >> bit % 4 & 1;
    }

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
                std::string name = net.name();
                if (name[0] == '\\') name = name.substr(1, name.size() - 2);  // escaped: \name and a space
                const bool is_clock = name == "clk";
                nets.push_back({static_cast<const uint8_t*>(net.datap()), is_clock ? 0 : net.totalSize(),
                                is_clock ? 0 : size_t(net.entBits()), n_instances_,
                                path.substr(chip.size()), name});
            }
            std::fprintf(instances, "%s\n", path.c_str() + chip.size());
            ++n_instances_;
        }
        std::fclose(instances);
        std::sort(nets.begin(), nets.end(), [](const Net& a, const Net& b) { return a.data < b.data; });
        return nets;
    }

    // Takes all nets as they are, without counting a change.
    void begin() {
        size_t at = 0;
        for (const Span& span : spans_) {
            std::memcpy(&last_[at], span.data, span.n_bytes);
            at += span.n_bytes;
        }
        counting_ = true;
    }

    void compare() {
        int64_t* by_instance = &by_instance_[n_instances_ * std::min<size_t>(*phase_, n_phases - 1)];
        size_t at = 0;
        for (const Span& span : spans_) {
            for (size_t done = 0; done < span.n_bytes; done += block_size) {
                const size_t size = std::min(block_size, span.n_bytes - done);
                if (std::memcmp(span.data + done, &last_[at + done], size) == 0) continue;
                for (size_t byte = done; byte < done + size; byte += word_size)
                    count(span.data + byte, at + byte, std::min(word_size, done + size - byte), by_instance);
            }
            at += span.n_bytes;
        }
        ++n_cycles_;
    }

    void count(const uint8_t* now, size_t first_byte, size_t n_bytes, int64_t* by_instance) {
        uint64_t before = 0, after = 0;
        std::memcpy(&before, &last_[first_byte], n_bytes);
        std::memcpy(&after, now, n_bytes);
        if (before == after) return;
        for (uint64_t changed = before ^ after; changed; changed &= changed - 1) {
            const int at = __builtin_ctzll(changed);
            const size_t bit = 8 * first_byte + at;
            ++bits_[bit].toggles;
            bits_[bit].high += after >> at & 1 ? -n_cycles_ : n_cycles_;
            by_instance[instance_[bit / 8]] += counts_once_[bit];
        }
        std::memcpy(&last_[first_byte], &after, n_bytes);
    }

    void end_step() {
        step_ = *n_steps_done_;
        if (counting_) {
            std::fwrite(by_instance_.data(), sizeof(int64_t), by_instance_.size(), steps_);
            std::fill(by_instance_.begin(), by_instance_.end(), 0);
        }
        if (step_ == *n_steps_) end();
        else if (step_ == from_) begin();
    }

    void end() {
        for (size_t bit = 0; bit < bits_.size(); ++bit)
            if (last_[bit / 8] >> bit % 8 & 1) bits_[bit].high += n_cycles_;
        std::FILE* counts = std::fopen("activity.counts", "wb");
        std::fwrite(&n_cycles_, sizeof n_cycles_, 1, counts);
        std::fwrite(bits_.data(), sizeof(Bit), bits_.size(), counts);
        std::fclose(counts);
        std::fclose(steps_);
        counting_ = false;
    }

    const uint32_t* n_steps_ = harness_value<uint32_t>("n_steps");
    const uint32_t* n_steps_done_ = harness_value<uint32_t>("n_steps_done");
    const uint8_t* phase_ = harness_value<uint8_t>("phase");
    std::vector<Span> spans_;
    std::vector<Bit> bits_;
    std::vector<int64_t> by_instance_;
    std::vector<uint32_t> instance_;  // of every byte
    std::vector<uint8_t> last_, counts_once_;  // bytes of all nets, and whether each of their bits counts by step
    size_t n_instances_ = 0;
    int64_t n_cycles_ = 0;
    uint32_t step_ = *n_steps_done_, from_;
    bool step_is_over_ = false, counting_ = false;
    std::FILE* steps_;
};

}  // namespace

int main(int argc, char** argv) {
    constexpr int half_period = 5000;  // ps, as in the harness that has the clock itself
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top{&context};
    top.eval();
    uint32_t from = 0;
    std::sscanf(context.commandArgsPlusMatch("count_from="), "+count_from=%u", &from);
    ToggleCounter counter{from};
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

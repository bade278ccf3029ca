// Runs the harness under cocotb: has the clock, and gives Python its turn only when a signal that it waits
// for has changed or its timer is due.
#include <algorithm>
#include <cstdint>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"

extern "C" void vlog_startup_routines_bootstrap();

namespace {

// Python's turn: it reacts to what has changed, what it writes takes effect, until neither goes on.
void react(Vtop& top) {
    bool again = true;
    while (again) {
        while (VerilatedVpi::callValueCbs()) {
        }
        VerilatedVpi::callCbs(cbReadWriteSynch);
        VerilatedVpi::doInertialPuts();
        again = VerilatedVpi::evalNeeded();
        VerilatedVpi::clearEvalNeeded();
        if (again) top.eval();
    }
    VerilatedVpi::callCbs(cbReadOnlySynch);
}

}  // namespace

int main(int argc, char** argv) {
    constexpr uint64_t half_period = 5000;  // ps, as in the harness that has the clock itself
    VerilatedContext& context = *Verilated::threadContextp();  // the one that VPI knows
    context.commandArgs(argc, argv);
    context.fatalOnVpiError(false);  // cocotb looks at errors itself
    Vtop top{""};  // so that VPI calls it by its own name
    vlog_startup_routines_bootstrap();
    VerilatedVpi::callCbs(cbStartOfSimulation);
    bool has_turn = true;
    uint64_t edge = half_period;
    while (!context.gotFinish()) {
        top.eval();
        if (VerilatedVpi::callValueCbs() || has_turn) react(top);
        const uint64_t deadline = VerilatedVpi::cbNextDeadline();
        context.time(std::min(edge, deadline));
        has_turn = VerilatedVpi::callCbs(cbNextSimTime);
        has_turn |= VerilatedVpi::callCbs(cbAfterDelay);
        if (context.time() == edge) {
            top.clk = !top.clk;
            edge += half_period;
        }
    }
    top.final();
    VerilatedVpi::callCbs(cbEndOfSimulation);
}

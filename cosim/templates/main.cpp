// Runs the harness without Python: a clock, and nothing else.
#include "Vtop.h"
#include "verilated.h"

int main(int argc, char** argv) {
    constexpr int half_period = 5000;  // ps, as in the harness that has the clock itself
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top{&context};
    while (!context.gotFinish()) {
        top.eval();
        context.timeInc(half_period);
        top.clk = !top.clk;
    }
    top.final();
}

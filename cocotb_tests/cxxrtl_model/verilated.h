// What `driver.cpp` asks of Verilator's runtime, for models that are not Verilator's.

#ifndef FINESCALE_CXXRTL_VERILATED_H
#define FINESCALE_CXXRTL_VERILATED_H

struct VerilatedContext {
    int seed = 1;
    void randReset(int) {}
    void randSeed(int value) { seed = value; }
    void commandArgs(int, char**) {}
};

#endif

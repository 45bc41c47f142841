// A design as CXXRTL simulates it, with the members of a Verilated model that `driver.cpp` drives.
//
// So both simulators are driven and judged by the same code and share nothing else. Included after
// IN_BYTES and OUT_BYTES are defined, with `design.cc`, the generated model, in the include path;
// TOP is the model's class, RANDOM_STATE whether registers start at random as in hardware (1), or
// with the values that the Verilog gives them (0).

#ifndef FINESCALE_CXXRTL_VTOP_H
#define FINESCALE_CXXRTL_VTOP_H

#include "design.cc"
#include "ports.h"
#include "verilated.h"

struct Vtop {
    unsigned char clk = 0, rst = 0, i_valid = 0, o_ready = 0, i_ready = 0, o_valid = 0;
    unsigned char i_payload[IN_BYTES] = {}, o_payload[OUT_BYTES] = {};

    explicit Vtop(VerilatedContext* context) {
        if (RANDOM_STATE) finescale_cxxrtl::draw_registers(design_, context->seed);
        eval();
    }

    void eval() {
        using namespace finescale_cxxrtl;
        put(design_.p_clk, &clk, 1);
        put(design_.p_rst, &rst, 1);
        put(design_.p_i__valid, &i_valid, 1);
        put(design_.p_o__ready, &o_ready, 1);
        put(design_.p_i__payload, i_payload, IN_BYTES);
        design_.step();
        take(design_.p_i__ready, &i_ready, 1);
        take(design_.p_o__valid, &o_valid, 1);
        take(design_.p_o__payload, o_payload, OUT_BYTES);
    }

  private:
    cxxrtl_design::TOP design_;
};

#endif

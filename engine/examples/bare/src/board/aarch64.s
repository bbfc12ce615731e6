// AArch64 at EL1: start, page table, exceptions.

.section .text.boot, "ax"
.global _start
_start:
    mrs  x0, CPACR_EL1          // floating point and Advanced SIMD on: FPEN = 0b11
    orr  x0, x0, #(3 << 20)
    msr  CPACR_EL1, x0
    isb
    msr  FPCR, xzr              // round to nearest, denormals kept
    adrp x0, vectors
    add  x0, x0, :lo12:vectors
    msr  VBAR_EL1, x0

    ldr  x0, =__bss_start       // .bss to zero; its bounds are multiples of 16
    ldr  x1, =__bss_end
0:  cmp  x0, x1
    b.hs 1f
    stp  xzr, xzr, [x0], #16
    b    0b

1:  ldr  x0, =__stack_bottom    // the stack in a colour, see stack.rs
    ldr  x1, =__stack_top
    mov  sp, x1
    ldr  x2, =0xa5a5a5a5a5a5a5a5
2:  stp  x2, x2, [x0], #16
    cmp  x0, x1
    b.lo 2b

    // Identity map. Level 1: the second GiB, RAM, in blocks of 2 MiB; nothing else is mapped, for the console is the
    // debugger's.
    ldr  x0, =level1
    ldr  x1, =level2
    orr  x2, x1, #0x3           // a table
    str  x2, [x0, #8]
    mov  x3, #0x40000000
    ldr  x4, =__read_only_end
    ldr  x5, =__writable_start
    ldr  x6, =0x705             // block: accessed, inner shareable, memory of type 1
    ldr  x7, =0x0060000000000000 // never executed
    mov  x8, #512
3:  orr  x9, x3, x6
    orr  x10, x9, #0x80         // read-only
    orr  x11, x9, x7            // writable
    cmp  x3, x5
    csel x9, x11, xzr, hs       // from __writable_start; unmapped below,
    cmp  x3, x4
    csel x9, x10, x9, lo        // but for the start
    str  x9, [x1], #8
    add  x3, x3, #0x200000
    subs x8, x8, #1
    b.ne 3b

    mov  x1, #0xff00            // MAIR: type 1 is normal memory, write-back
    msr  MAIR_EL1, x1
    ldr  x1, =0x00803519        // TCR: 39 bits of address, 4 KiB granule, walks cached and shared, TTBR1 off
    msr  TCR_EL1, x1
    msr  TTBR0_EL1, x0
    dsb  sy
    isb
    mrs  x0, SCTLR_EL1
    mov  x1, #0x1005            // instruction cache, data cache, MMU
    orr  x0, x0, x1
    bic  x0, x0, #2             // no alignment check
    msr  SCTLR_EL1, x0
    isb
    bl   main
    b    .

// The stack may be what is broken: start on a fresh one.
exception:
    ldr  x0, =__stack_top
    mov  sp, x0
    mrs  x0, ESR_EL1
    mrs  x1, FAR_EL1
    bl   fault
    b    .

.balign 2048
vectors:
.rept 16
    b    exception
    .balign 128
.endr

.section .stack, "aw", %nobits
    .space 32 * 1024

.section .bss
.balign 4096
level1: .skip 4096
level2: .skip 4096

@ Cortex-M: vector table and start.

.section .vectors, "a"
    .word __stack_top
    .word reset
    .rept 14                    @ the board's interrupts stay off: system exceptions suffice
    .word exception
    .endr

.section .stack, "aw", %nobits
    .space 24 * 1024

.text
.thumb_func
.global reset
reset:
    ldr r0, =0xe000ed88         @ CPACR: full access to the coprocessors 10 and 11, the FPU (and Helium)
    ldr r1, [r0]
    orr r1, r1, #0xf00000
    str r1, [r0]
    dsb
    isb

    ldr r0, =__data_load        @ .data from flash
    ldr r1, =__data_start
    ldr r2, =__data_end
0:  cmp r1, r2
    bhs 1f
    ldr r3, [r0], #4
    str r3, [r1], #4
    b 0b

1:  ldr r1, =__bss_start        @ .bss to zero
    ldr r2, =__bss_end
    movs r3, #0
2:  cmp r1, r2
    bhs 3f
    str r3, [r1], #4
    b 2b

3:  ldr r1, =__stack_bottom     @ the stack in a colour, see stack.rs
    ldr r2, =__stack_top
    ldr r3, =0xa5a5a5a5
4:  str r3, [r1], #4
    cmp r1, r2
    blo 4b

    bl main
    b .

@ The stack may be what is broken: start on a fresh one.
.thumb_func
exception:
    ldr r0, =__stack_top
    mov sp, r0
    ldr r0, =0xe000ed28         @ CFSR: what went wrong
    ldr r0, [r0]
    ldr r1, =0xe000ed38         @ BFAR: where
    ldr r1, [r1]
    bl fault
    b .

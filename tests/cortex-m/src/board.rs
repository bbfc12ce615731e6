//! What a Cortex-M needs before `main` runs, and semihosting for output and the exit status.

use core::arch::{asm, global_asm};
use core::fmt;
use core::panic::PanicInfo;

use linked_list_allocator::LockedHeap;

// The vector table, and a start that switches the FPU (and Helium) on, copies .data and clears .bss.
global_asm!(
    r#"
.section .vectors, "a"
    .word stack_top
    .word reset
    .rept 14
    .word fault
    .endr
.text
.thumb_func
.global reset
reset:
    ldr r0, =0xe000ed88
    ldr r1, [r0]
    orr r1, r1, #0xf00000
    str r1, [r0]
    dsb
    isb
    ldr r0, =data_load
    ldr r1, =data_start
    ldr r2, =data_end
1:  cmp r1, r2
    bhs 2f
    ldr r3, [r0], #4
    str r3, [r1], #4
    b 1b
2:  ldr r1, =bss_start
    ldr r2, =bss_end
    movs r3, #0
3:  cmp r1, r2
    bhs 4f
    str r3, [r1], #4
    b 3b
4:  bl start
    b .
"#
);

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

unsafe extern "C" {
    static mut heap_start: u8;
    static heap_end: u8;
}

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    let (start, end) = (&raw mut heap_start, &raw const heap_end);
    // SAFETY: the linker script reserves what lies between the symbols for the heap, and this runs once.
    unsafe { HEAP.lock().init(start, end.addr() - start.addr()) };
    crate::main();
    exit(0)
}

#[unsafe(no_mangle)]
extern "C" fn fault() -> ! {
    // SAFETY: the Configurable Fault Status Register.
    let status = unsafe { (0xe000_ed28 as *const u32).read_volatile() };
    print(format_args!("fault, CFSR {status:#x}\n"));
    exit(102)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    print(format_args!("{info}\n"));
    exit(101)
}

/// Calls the debugger or emulator that runs the program.
fn semihost(operation: u32, argument: u32) {
    // SAFETY: the calls below read the argument's memory only.
    unsafe { asm!("bkpt #0xab", inout("r0") operation => _, in("r1") argument, options(nostack)) };
}

fn exit(status: u32) -> ! {
    let block = [0x2_0026, status];
    loop {
        semihost(0x20, block.as_ptr().addr() as u32);
    }
}

/// Prints to the host's console.
pub fn print(text: fmt::Arguments<'_>) {
    struct Console;
    impl fmt::Write for Console {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for part in text.as_bytes().chunks(63) {
                let mut line = [0u8; 64];
                line.iter_mut().zip(part).for_each(|(to, &from)| *to = from);
                semihost(0x04, line.as_ptr().addr() as u32);
            }
            Ok(())
        }
    }
    let _ = fmt::Write::write_fmt(&mut Console, text);
}

//! Hands the linker the board's memory map.

fn main() {
    let (folder, arch) = (env!("CARGO_MANIFEST_DIR"), std::env::var("CARGO_CFG_TARGET_ARCH"));
    let script = match arch.as_deref() {
        Ok("aarch64") => "virt.ld",
        Ok("arm") => "mps.ld",
        _ => {
            println!(
                "cargo::error=build for a board: --target aarch64-unknown-none, thumbv7em-none-eabihf or \
                 thumbv8m.main-none-eabihf"
            );
            return;
        }
    };
    println!("cargo::rustc-link-arg=-T{folder}/link/{script}");
    println!("cargo::rerun-if-changed=link/{script}");
}

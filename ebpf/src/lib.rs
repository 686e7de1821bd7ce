//! What the kernel programs of both objects share: `convoy` counts connections, `gate` decides who answers for an
//! address.
#![no_std]
#![feature(asm_experimental_arch)]

pub mod atomic;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Never linked: the verifier refuses a program that can reach it.
    loop {}
}

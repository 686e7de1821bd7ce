//! Builds the kernel programs (`ebpf/`) with whichever compiler here has a `core` for BPF, and hands the objects over.
//!
//! Two kinds do: one whose sysroot carries the library ready-made (Debian's rustc-web with
//! libstd-rust-web-dev-bpf), and a nightly with rust-src that builds it. `CONVOY_EBPF_RUSTC` names another one of
//! the first kind. bpf-linker turns the result into objects. What is missing is said once, with the command that
//! installs it.
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Where Debian puts the compiler that may have the library; a rustup toolchain comes first in PATH.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // The one line a developer reads; cargo shows standard error of a build script that failed.
            #[expect(clippy::print_stderr, reason = "this is how a build script explains itself")]
            {
                eprintln!("\nconvoy: the kernel programs cannot be built: {why}\n");
            }
            ExitCode::FAILURE
        }
    }
}

/// A compiler with a `core` for the BPF target.
struct Compiler {
    /// Program and arguments that start cargo.
    cargo: Vec<OsString>,
    /// Environment of the build.
    env: Vec<(&'static str, OsString)>,
}

fn build() -> Result<(), String> {
    let manifest = PathBuf::from(var("CARGO_MANIFEST_DIR")?);
    let root = manifest.parent().ok_or("the agent has no parent directory")?;
    let ebpf = root.join("ebpf");
    let out = PathBuf::from(var("OUT_DIR")?);
    for watched in
        ["ebpf/src", "ebpf/Cargo.toml", "ebpf/Cargo.lock", "ebpf/.cargo", "common/src", "common/Cargo.toml"]
    {
        tell(&format!("rerun-if-changed={}", root.join(watched).display()));
    }
    tell("rerun-if-changed=build.rs");
    tell("rerun-if-env-changed=CONVOY_EBPF_RUSTC");
    tell("rerun-if-env-changed=PATH");

    let target = match var("CARGO_CFG_TARGET_ENDIAN")?.to_str() {
        Some("big") => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    let path = search_path();
    if !env::split_paths(&path).any(|dir| dir.join("bpf-linker").is_file()) {
        return Err("bpf-linker is not installed; run script/bootstrap".into());
    }
    let compiler = find(target).ok_or(
        "no Rust compiler with a core library for BPF; run script/bootstrap (it installs rustc-web, cargo-web and \
         libstd-rust-web-dev-bpf; a nightly toolchain with rust-src serves as well)",
    )?;

    let mut command = Command::new(&compiler.cargo[0]);
    command.args(&compiler.cargo[1..]);
    command.args(["build", "--release", "--locked", "--quiet", "--target", target]);
    command.arg("--target-dir").arg(out.join("ebpf")).current_dir(&ebpf);
    // The outer cargo's settings are for another compiler and another target.
    for (name, _) in env::vars_os() {
        let leaks = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_") && name != "CARGO_HOME"
                || name.starts_with("RUSTC")
                || matches!(
                    name,
                    "RUSTFLAGS" | "RUSTDOCFLAGS" | "CARGO" | "TARGET" | "HOST" | "RUSTUP_TOOLCHAIN"
                )
        });
        if leaks {
            command.env_remove(name);
        }
    }
    command.env("PATH", path).envs(compiler.env);
    let built = command.output().map_err(|error| format!("{command:?} does not start: {error}"))?;
    if !built.status.success() {
        return Err(format!("{command:?}\n{}", String::from_utf8_lossy(&built.stderr)));
    }
    for name in ["convoy", "gate"] {
        let object = out.join("ebpf").join(target).join("release").join(name);
        fs::copy(&object, out.join(format!("{name}.bpf.o")))
            .map_err(|error| format!("the object {} was not made: {error}", object.display()))?;
    }
    Ok(())
}

/// Finds a compiler for `target`: one named by the user, the system's, the nightly.
fn find(target: &str) -> Option<Compiler> {
    let named = env::var_os("CONVOY_EBPF_RUSTC");
    for rustc in named.into_iter().chain([SYSTEM_RUSTC.into(), "rustc".into()]) {
        let ready = sysroot(Command::new(&rustc))
            .is_some_and(|sysroot| sysroot.join("lib/rustlib").join(target).join("lib").is_dir());
        if ready {
            // The cargo beside it; a lone compiler takes the one that runs us.
            let beside = Path::new(&rustc).with_file_name("cargo");
            let cargo = if beside.is_file() { beside.into() } else { env::var_os("CARGO")? };
            return Some(Compiler {
                cargo: vec![cargo],
                // BPF is a target of the second tier: its assembly is behind a feature gate.
                env: vec![("RUSTC", rustc), ("RUSTC_BOOTSTRAP", "1".into())],
            });
        }
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["run", "nightly", "rustc"]);
    let sources = sysroot(rustup)?.join("lib/rustlib/src/rust/library/core");
    sources.is_dir().then(|| Compiler {
        cargo: ["rustup", "run", "nightly", "cargo", "-Zbuild-std=core"].map(Into::into).to_vec(),
        env: Vec::new(),
    })
}

/// Asks a compiler where its libraries are.
fn sysroot(mut rustc: Command) -> Option<PathBuf> {
    // cargo tells rustup's proxies which toolchain to be; that must not decide here.
    let answer = rustc.args(["--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN").output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| PathBuf::from(text.trim()))
}

/// Returns the search path with cargo's own directory in it, where `cargo install` puts bpf-linker.
fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let dirs = env::split_paths(&path).chain(home.map(|home| home.join("bin")));
    env::join_paths(dirs).unwrap_or(path)
}

fn var(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set; build with cargo"))
}

/// Says something to cargo.
fn tell(line: &str) {
    println!("cargo::{line}");
}

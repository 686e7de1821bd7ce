//! The maps. Names and layouts are `convoy_common::gate`; the agent sets the real sizes.
use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use convoy_common::{
    addr::Host,
    gate::{ABI_VERSION, ADDRESSES_DEFAULT, Abi, Stat},
};

const _: () = assert!(ABI_VERSION == 2, "look at every use of these maps");

/// Memory is taken at once: an address must never be refused for want of it.
#[btf_map(name = "gate_addresses")]
pub static ADDRESSES: HashMap<Host, u32, ADDRESSES_DEFAULT> = HashMap::new();
#[btf_map(name = "gate_standings")]
pub static STANDINGS: Array<u64, ADDRESSES_DEFAULT, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map(name = "gate_lease")]
pub static LEASE: Array<u64, 1, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map(name = "gate_stats")]
pub static STATS: Array<u64, { Stat::LEN }, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map(name = "gate_abi")]
pub static ABI: Array<Abi, 1> = Array::new();

//! The maps. Names, layouts and sizes are `convoy_common::kernel`; the agent sets the host maps' real sizes.
use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    btf_maps::{Array, HashMap, RingBuf},
    macros::btf_map,
};
use convoy_common::{
    addr::Host,
    kernel::{
        Abi, CHANGES_BYTES, Changed, Control, HOSTS_DEFAULT, HostCount, NOTES_MAX, Note, PORT_WORDS,
        SEEDED_MAX, Seed, Stat,
    },
};

/// Counts per remote host; memory is taken as hosts appear.
pub type Hosts = HashMap<Host, HostCount, HOSTS_DEFAULT, { BPF_F_NO_PREALLOC as usize }>;
/// One bit a port.
pub type Ports = Array<u64, PORT_WORDS>;

#[btf_map(name = "inbound_hosts")]
pub static INBOUND_HOSTS: Hosts = Hosts::new();
#[btf_map(name = "outbound_hosts")]
pub static OUTBOUND_HOSTS: Hosts = Hosts::new();
#[btf_map(name = "inbound_ports")]
pub static INBOUND_PORTS: Ports = Ports::new();
#[btf_map(name = "outbound_ports")]
pub static OUTBOUND_PORTS: Ports = Ports::new();
#[btf_map(name = "sockets")]
pub static SOCKETS: HashMap<u64, Note, NOTES_MAX, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
#[btf_map(name = "seeded")]
pub static SEEDED: HashMap<u64, Seed, SEEDED_MAX, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
#[btf_map(name = "control")]
pub static CONTROL: Array<Control, 1, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map(name = "stats")]
pub static STATS: Array<u64, { Stat::LEN }, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map(name = "abi")]
pub static ABI: Array<Abi, 1> = Array::new();
#[btf_map(name = "changes")]
pub static CHANGES: RingBuf<Changed, CHANGES_BYTES> = RingBuf::new();

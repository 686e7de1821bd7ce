//! Which interfaces have the two programs: attached by links that are pinned, or by filters that stay by themselves.
//!
//! Since 6.6 a link of tcx, pinned under the interface's number, for a name may hold a dot, which no pin may. Before
//! that a filter on the `clsact` qdisc, and a pin of the program that says so. That qdisc is not removed with the
//! filters: it may have been there before, or have other users since.
use super::Error;
use crate::{
    host::counting,
    sys::{bpf, privilege::Kernel},
};
use aya::{
    Ebpf,
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType,
        links::FdLink,
        tc::{
            self, NlOptions, SchedClassifierLink, SchedClassifierLinkId, TcAttachOptions, TcError, TcHandle,
        },
    },
};
use convoy_common::gate::name;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};
use std::{
    collections::BTreeSet,
    fs, io,
    mem::ManuallyDrop,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// How a program is attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A link of tcx, Linux 6.6.
    Tcx,
    /// A filter on the `clsact` qdisc, any kernel.
    Clsact,
}

impl Hook {
    /// Returns the newest one of the running kernel.
    pub(super) fn newest() -> Self {
        match Kernel::running() {
            Ok(kernel) if kernel < TCX_SINCE => Self::Clsact,
            // A release that cannot be read is none of an old kernel.
            Ok(_) | Err(_) => Self::Tcx,
        }
    }
}

/// The loaded programs, and where they are attached.
#[derive(Debug)]
pub(super) struct Links {
    bpffs: PathBuf,
    object: Ebpf,
}

/// One of the two programs.
#[derive(Clone, Copy, Debug)]
struct Side {
    program: &'static str,
    /// What the name of its pin begins with.
    pin: &'static str,
    attach: TcAttachType,
}

/// Something pinned that says what is attached.
#[derive(Clone, Copy, Debug)]
enum Pinned {
    /// A link of one program.
    Link(Side, u32),
    /// The filters of both.
    Filters(u32),
}

impl Links {
    pub(super) fn new(bpffs: PathBuf, object: Ebpf) -> Self {
        Self { bpffs, object }
    }

    /// Attaches both programs to an interface, unless they are.
    pub(super) fn attach(&mut self, hook: Hook, interface: &str) -> Result<(), Error> {
        let number = number(interface)
            .map_err(|source| Error::NoInterface { interface: interface.to_owned(), source })?;
        for side in SIDES {
            match hook {
                Hook::Tcx => self.attach_link(interface, number, side)?,
                Hook::Clsact => self.attach_filter(interface, side)?,
            }
        }
        let pin = Pinned::Filters(number).path(&self.bpffs);
        if hook == Hook::Clsact && !pin.exists() {
            let program = program(&mut self.object, name::INGRESS).map_err(io::Error::other);
            program
                .and_then(|program| program.pin(&pin).map_err(io::Error::other))
                .map_err(Error::pin(pin))?;
        }
        Ok(())
    }

    /// Detaches both programs from all interfaces but these.
    pub(super) fn detach_others(&mut self, interfaces: &BTreeSet<String>) -> Result<(), Error> {
        let kept: BTreeSet<u32> = interfaces.iter().filter_map(|interface| number(interface).ok()).collect();
        detach(&self.bpffs, |number| !kept.contains(&number))
    }

    /// Has everything that is attached run the programs of this object, without a gap.
    pub(super) fn adopt(&mut self) -> Result<(), Error> {
        for pinned in pinned(&self.bpffs)? {
            match pinned {
                // Of an interface that is gone it is removed.
                Pinned::Link(side, number) => drop(self.refresh(&interface(number), side, number)?),
                Pinned::Filters(number) => match named(number) {
                    Ok(interface) => {
                        SIDES.into_iter().try_for_each(|side| self.attach_filter(&interface, side))?;
                    }
                    Err(_gone) => unpin(&pinned.path(&self.bpffs))?,
                },
            }
        }
        Ok(())
    }

    fn attach_link(&mut self, interface: &str, number: u32, side: Side) -> Result<(), Error> {
        if self.refresh(interface, side, number)? {
            return Ok(());
        }
        let pin = Pinned::Link(side, number).path(&self.bpffs);
        let options = TcAttachOptions::TcxOrder(LinkOrder::first());
        let link = program(&mut self.object, side.program).and_then(|program| {
            let id = program.attach_with_options(interface, side.attach, options)?;
            program.take_link(id)
        });
        let link = link.map_err(side.failed("attached to", interface))?;
        let link = FdLink::try_from(link).map_err(side.failed("attached to", interface))?;
        link.pin(&pin).map(drop).map_err(|error| Error::Pin { path: pin, source: io::Error::other(error) })
    }

    /// Has a pinned link run the program of this object; tells whether there is one that is attached. The pin of one
    /// that is not, because its interface is gone, is removed.
    fn refresh(&mut self, interface: &str, side: Side, number: u32) -> Result<bool, Error> {
        let pin = Pinned::Link(side, number).path(&self.bpffs);
        let link: OwnedFd = match bpf::open_pin(&pin) {
            Ok(link) => link,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(Error::Pin { path: pin, source }),
        };
        let program = program(&mut self.object, side.program)
            .and_then(|program| Ok(program.fd()?.as_fd().try_clone_to_owned()?))
            .map_err(side.failed("attached to", interface))?;
        match bpf::update_link(link.as_fd(), program.as_fd()) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => unpin(&pin).map(|()| false),
            Err(error) => Err(side.failed("attached to", interface)(error)),
        }
    }

    /// Puts the filter in place, made or replaced.
    fn attach_filter(&mut self, interface: &str, side: Side) -> Result<(), Error> {
        let failed = side.failed("attached to", interface);
        let attached = program(&mut self.object, side.program).and_then(|program| {
            let there = SchedClassifierLink::attached(interface, side.attach, PRIORITY, HANDLE, None)?;
            // Only a filter that is there is replaced; the kernel has several ways to say that none is.
            if let Ok(replaced) = program.attach_to_link(there) {
                return keep(program, replaced);
            }
            match tc::qdisc_add_clsact(interface) {
                Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {}
                done => done?,
            }
            let options = NlOptions { priority: PRIORITY, handle: HANDLE, classid: None };
            let made =
                program.attach_with_options(interface, side.attach, TcAttachOptions::Netlink(options))?;
            keep(program, made)
        });
        attached.map_err(failed)
    }
}

impl Side {
    /// Wraps what went wrong while the program was being `action` an interface.
    fn failed<E>(self, action: &'static str, interface: &str) -> impl FnOnce(E) -> Error
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let interface = interface.to_owned();
        move |error| Error::Attach { interface, program: self.program, action, source: error.into() }
    }
}

impl Pinned {
    /// Returns what a pin's name says.
    fn parse(name: &str) -> Option<Self> {
        let (what, number) = name.split_once('_')?;
        let number = number.parse().ok()?;
        if what == FILTERS {
            return Some(Self::Filters(number));
        }
        SIDES.into_iter().find(|side| side.pin == what).map(|side| Self::Link(side, number))
    }

    fn number(self) -> u32 {
        match self {
            Self::Link(_, number) | Self::Filters(number) => number,
        }
    }

    fn path(self, bpffs: &Path) -> PathBuf {
        bpffs.join(match self {
            Self::Link(side, number) => format!("{}_{number}", side.pin),
            Self::Filters(number) => format!("{FILTERS}_{number}"),
        })
    }

    /// Detaches what it stands for.
    fn detach(self, bpffs: &Path) -> Result<(), Error> {
        if let Self::Filters(number) = self
            && let Ok(interface) = named(number)
        {
            for side in SIDES {
                match tc::qdisc_detach_program(&interface, side.attach, side.program) {
                    Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => {}
                    done => done.map_err(side.failed("detached from", &interface))?,
                }
            }
        }
        unpin(&self.path(bpffs))
    }
}

/// Detaches both programs everywhere.
pub(super) fn clear(bpffs: &Path) -> Result<(), Error> {
    detach(bpffs, |_| true)
}

/// Removes a pin, if it is there.
pub(super) fn unpin(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Pin { path: path.into(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Detaches both programs from the interfaces whose number is chosen; all are tried, the first failure is returned.
fn detach(bpffs: &Path, is_chosen: impl Fn(u32) -> bool) -> Result<(), Error> {
    let mut result = Ok(());
    for pinned in pinned(bpffs)?.into_iter().filter(|pinned| is_chosen(pinned.number())) {
        result = result.and(pinned.detach(bpffs));
    }
    result
}

/// Returns what is pinned; nothing if there is no such directory.
fn pinned(bpffs: &Path) -> Result<Vec<Pinned>, Error> {
    let names = match fs::read_dir(bpffs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(Error::pin(bpffs))?,
    };
    let mut found = Vec::new();
    for name in names {
        let name = name.map_err(Error::pin(bpffs))?.file_name();
        found.extend(name.to_str().and_then(Pinned::parse));
    }
    Ok(found)
}

/// Keeps a filter beyond the life of this process: the kernel keeps it, the loader library would not.
fn keep(program: &mut SchedClassifier, id: SchedClassifierLinkId) -> Result<(), ProgramError> {
    let _kept = ManuallyDrop::new(program.take_link(id)?);
    Ok(())
}

fn program<'a>(object: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, ProgramError> {
    counting::program(object, name)
}

/// Returns the interface's number.
fn number(interface: &str) -> io::Result<u32> {
    Ok(netdevice::name_to_index(any_socket()?, interface)?)
}

/// Returns the name of the interface with this number.
fn named(number: u32) -> io::Result<String> {
    Ok(netdevice::index_to_name(any_socket()?, number)?)
}

/// Returns the name of the interface with this number, or the number where it is gone.
fn interface(number: u32) -> String {
    named(number).unwrap_or_else(|_gone| number.to_string())
}

/// Questions about interfaces go through a socket of any kind.
fn any_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

const SIDES: [Side; 2] = [
    Side { program: name::INGRESS, pin: "ingress", attach: TcAttachType::Ingress },
    Side { program: name::EGRESS, pin: "egress", attach: TcAttachType::Egress },
];
/// What the name of a pin begins with that stands for filters.
const FILTERS: &str = "clsact";
/// Of our filters: before all others. Their handle is the prefix of nobody else's default, which begin at 1.
const PRIORITY: u16 = 1;
const HANDLE: TcHandle = TcHandle::new(0, 0xc0);
/// The first kernel with tcx.
const TCX_SINCE: Kernel = Kernel { major: 6, minor: 6 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_says_what_it_stands_for() {
        for name in ["ingress_3", "egress_4294967295", "clsact_7"] {
            let pinned = Pinned::parse(name).unwrap();
            assert_eq!(pinned.path(Path::new("/x")), Path::new("/x").join(name));
        }
        for name in ["gate_lease", "ingress_", "ingress_eth0", "clsact", "ingress_4294967296"] {
            assert!(Pinned::parse(name).is_none(), "{name}");
        }
    }
}

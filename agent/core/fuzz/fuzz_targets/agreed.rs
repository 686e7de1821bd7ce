//! Any bytes on the bus: parsed, and given to a membership. Whatever they are, nothing panics, and what is read is
//! written the same.
#![no_main]
use convoy_core::{
    group::{
        bus::{Configuration, Event, Kind, MemberId},
        membership::Membership,
        view::{Card, Role},
    },
    wire::Agreed,
};
use libfuzzer_sys::fuzz_target;

const OWN: MemberId = MemberId { host: 1, process: 1 };
const OTHER: MemberId = MemberId { host: 2, process: 2 };

fuzz_target!(|input: &[u8]| {
    if let Ok(message) = Agreed::parse(input) {
        assert_eq!(Agreed::parse(&message.emit()), Ok(message));
    }
    let mut membership = Membership::new(card());
    let members = [OWN, OTHER].into();
    membership.handle(Some(OWN), &Event::Configuration(Configuration { kind: Kind::Regular, members }));
    // Length and message, again and again, from one and the other in turn, each with a correct header.
    let (mut rest, mut sender) = (input, OWN);
    while let [kind, length, tail @ ..] = rest {
        let (body, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        let payload = [b"CB\x01", &[*kind][..], body].concat();
        membership.handle(Some(OWN), &Event::Message { sender, payload });
        while membership.poll_output().is_some() {}
        (rest, sender) = (tail, if sender == OWN { OTHER } else { OWN });
    }
});

fn card() -> Card {
    Card {
        role: Role::Node,
        incarnation: 1,
        name: "a".into(),
        subcluster: "".into(),
        version: "".into(),
        address: None,
        groups: [].into(),
        parameters: [].into(),
    }
}

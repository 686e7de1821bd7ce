//! One address as all offers see it: who could hold it, and whether the offers fit each other.
//!
//! Source: reference 5.2 and 5.5.
use super::Offered;
use crate::group::bus::MemberId;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use core::{fmt, net::IpAddr};

/// Whether the offers for an address fit each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safety {
    /// They do.
    #[default]
    Safe,
    /// They prefer different nodes: no preference is asked.
    Conflict,
    /// They have different services on it: whoever holds it, somebody misses one.
    Unsafe,
    /// A binding has another address elsewhere, or the address another binding: it is not managed at all.
    Broken,
}

impl fmt::Display for Safety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Safe => "safe",
            Self::Conflict => "in conflict",
            Self::Unsafe => "UNSAFE",
            Self::Broken => "BROKEN",
        })
    }
}

/// One address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// Members that offer it.
    pub candidates: BTreeSet<MemberId>,
    /// Whether their offers fit each other.
    pub safety: Safety,
    /// The node it should be on, by name; none when nobody says, or they say different ones.
    pub preference: Option<Arc<str>>,
    /// The address with which it moves; the smallest if the offers differ.
    pub follow: Option<IpAddr>,
    /// Who has it.
    pub owner: Option<MemberId>,
    /// Who is about to get it.
    pub handover: Option<Handover>,
    /// Who may still answer for it, because nobody has seen that it does not.
    pub ghost: Option<Ghost>,
}

/// Whoever had an address and vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ghost {
    /// That member.
    Of(MemberId),
    /// More than one, or nobody knows.
    Anyone,
}

/// A move under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// Who gets it.
    pub to: MemberId,
    /// How far it is.
    pub phase: Phase,
    /// Why.
    pub cause: super::Cause,
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The new owner puts the address on its host, silent.
    Preparing,
    /// The old owner stops answering for it.
    Releasing,
}

/// Returns the topics of these offers, without owners.
pub(super) fn of_offers<'a>(
    offers: impl Iterator<Item = (MemberId, &'a Offered)> + Clone,
) -> BTreeMap<IpAddr, Topic> {
    let mut topics = BTreeMap::<IpAddr, Topic>::new();
    let mut first = BTreeMap::<IpAddr, &Offered>::new();
    let mut places = BTreeMap::<&str, IpAddr>::new();
    let (mut broken, mut torn) = (BTreeSet::new(), BTreeSet::new());
    for (member, offered) in offers {
        let topic = topics.entry(offered.address).or_default();
        topic.candidates.insert(member);
        topic.follow = [topic.follow, offered.follow].into_iter().flatten().min();
        for binding in &*offered.bindings {
            let place = *places.entry(binding).or_insert(offered.address);
            if place != offered.address {
                broken.extend([place, offered.address]);
            }
        }
        let other = *first.entry(offered.address).or_insert(offered);
        let both_send = !other.bindings.is_empty() && !offered.bindings.is_empty();
        if both_send && other.bindings != offered.bindings {
            broken.insert(offered.address);
        } else if other.bindings != offered.bindings || other.services != offered.services {
            topic.safety = topic.safety.max(Safety::Unsafe);
        }
        match (&topic.preference, &offered.preference) {
            (Some(known), Some(new)) if !known.eq_ignore_ascii_case(new) => {
                topic.safety = topic.safety.max(Safety::Conflict);
                torn.insert(offered.address);
            }
            (None, Some(new)) => topic.preference = Some(new.clone()),
            _ => {}
        }
    }
    for address in torn {
        if let Some(topic) = topics.get_mut(&address) {
            topic.preference = None;
        }
    }
    for address in broken {
        if let Some(topic) = topics.get_mut(&address) {
            topic.safety = Safety::Broken;
        }
    }
    topics
}

impl Topic {
    /// Its owner vanished.
    pub(super) fn haunt(&mut self, owner: Option<MemberId>) {
        let ghost = owner.map_or(Ghost::Anyone, Ghost::Of);
        self.ghost = Some(if self.ghost.is_none_or(|known| known == ghost) { ghost } else { Ghost::Anyone });
    }

    /// Tells whether a member is to get it.
    pub fn is_for(&self, member: MemberId) -> bool {
        self.handover.is_some_and(|handover| handover.to == member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn member(host: u32) -> MemberId {
        MemberId { host, process: 1 }
    }

    fn offered(address: &str, bindings: &[&str], services: &[&str], preference: Option<&str>) -> Offered {
        let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        Offered {
            address: address.parse().unwrap(),
            bindings: names(bindings),
            services: names(services),
            preference: preference.map(Arc::from),
            follow: None,
        }
    }

    fn judged(offers: &[(u32, Offered)]) -> BTreeMap<IpAddr, Topic> {
        of_offers(offers.iter().map(|(host, offered)| (member(*host), offered)))
    }

    fn only(offers: &[(u32, Offered)]) -> Topic {
        let topics = judged(offers);
        assert_eq!(topics.len(), 1);
        topics.into_values().next().unwrap()
    }

    #[test]
    fn equal_offers_are_safe_and_one_preference_is_everybodys() {
        let topic = only(&[
            (1, offered("192.0.2.1", &["b"], &["ESMTP_Listener"], None)),
            (2, offered("192.0.2.1", &["b"], &["ESMTP_Listener"], Some("mx2"))),
        ]);
        assert_eq!((topic.safety, topic.preference.as_deref()), (Safety::Safe, Some("mx2")));
        assert_eq!(topic.candidates, [member(1), member(2)].into());
    }

    #[test]
    fn different_preferences_are_a_conflict_and_are_not_asked() {
        let with = |host, name| (host, offered("192.0.2.1", &["b"], &[], Some(name)));
        let topic = only(&[with(1, "mx1"), with(2, "MX1"), with(3, "mx3")]);
        assert_eq!((topic.safety, topic.preference), (Safety::Conflict, None));
        let listener = (4, offered("192.0.2.1", &["b"], &["ESMTP_Listener"], None));
        let topic = only(&[with(1, "mx1"), with(3, "mx3"), listener]);
        assert_eq!((topic.safety, topic.preference), (Safety::Unsafe, None));
    }

    #[test]
    fn different_services_are_unsafe() {
        let topic = only(&[
            (1, offered("192.0.2.1", &["b"], &["ESMTP_Listener"], None)),
            (2, offered("192.0.2.1", &["b"], &[], None)),
        ]);
        assert_eq!(topic.safety, Safety::Unsafe);
        let topic = only(&[
            (1, offered("::1", &["b"], &[], None)),
            (2, offered("::1", &[], &["HTTP_Listener"], None)),
        ]);
        assert_eq!(topic.safety, Safety::Unsafe);
    }

    #[test]
    fn a_binding_on_two_addresses_and_an_address_of_two_bindings_are_broken() {
        let topics = judged(&[
            (1, offered("192.0.2.1", &["b"], &[], None)),
            (2, offered("192.0.2.2", &["b"], &[], None)),
            (2, offered("192.0.2.3", &["c"], &[], None)),
            (1, offered("192.0.2.3", &["d"], &[], None)),
            (1, offered("192.0.2.4", &["e"], &[], None)),
        ]);
        let safety = topics.values().map(|topic| topic.safety).collect::<Vec<_>>();
        assert_eq!(safety, [Safety::Broken, Safety::Broken, Safety::Broken, Safety::Safe]);
    }
}

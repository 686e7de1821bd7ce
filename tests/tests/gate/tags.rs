//! Frames with tags: the outermost one the kernel takes off and keeps beside the frame on its way in, the others stay.
use crate::{
    frames::{Kind, SERVICE_TAG, TAG, Tags, frame},
    site::{BOUND, CLIENT, Site, VIPS, Wire, addresses, check},
};
use anyhow::{Context, Result};
use convoy_agent::host::gate::Standing;
use lab::until;

/// Outermost first; three are one more than the programs look behind in the frame itself.
const TAGS: [Tags<'_>; 4] =
    [&[(TAG, 7)], &[(SERVICE_TAG, 9)], &[(SERVICE_TAG, 9), (TAG, 8)], &[(0x9100, 9), (TAG, 8)]];

#[test]
fn questions_are_stopped_whatever_tags_they_have() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let (gate, vips) = (site.open()?, addresses(VIPS));
    gate.set(&vips, Standing::Silent)?;
    let mut wire = Wire::open(site.client(), "eth0")?;
    let mut asked = 0;
    // Nobody on the host answers for these tags, so the programs' own count is the witness. Three: one beside the frame.
    for tags in TAGS.into_iter().chain([&[(SERVICE_TAG, 9), (TAG, 8), (TAG, 7)][..]]) {
        for kind in Kind::ASKS {
            for vip in &vips {
                wire.send(&frame(kind, *vip, CLIENT, tags))?;
                asked += 1;
                let what = format!("{kind:?} about {vip} behind {tags:?} dropped");
                until(&what, BOUND, || Ok((gate.dropped().questions == asked).then_some(())))?;
            }
        }
    }
    Ok(())
}

#[test]
fn announcements_are_stopped_whatever_tags_they_have() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let (gate, vips) = (site.open()?, addresses(VIPS));
    for tags in TAGS {
        for kind in Kind::SAYS {
            gate.forget(&vips)?;
            check(&site.arrives(kind, &vips, tags)?, &vips, true).context("not managed")?;
            gate.set(&vips, Standing::Silent)?;
            let arrived = site.arrives(kind, &vips, tags)?;
            check(&arrived, &vips, false).with_context(|| format!("{kind:?} behind {tags:?}"))?;
        }
    }
    Ok(())
}

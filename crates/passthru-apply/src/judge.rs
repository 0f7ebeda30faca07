//! What is to be done with each file when steps are taken back, by comparing what stands there with what stood there
//! before the step and what the step left.

use std::collections::HashMap;
use std::io::{self, Read as _};

use passthru_model::plan::Action;

use crate::error::{Conflict, Error};
use crate::journal::{Journal, copy_name};
use crate::record::Image;
use crate::revert::How;
use crate::standing::{self, Standing};
use crate::target::{Follow, Target};

/// What is to be done with a file.
#[derive(Debug)]
pub(crate) enum Deed {
    /// It is well already.
    Nothing(How),
    /// What stood there before goes back.
    PutBack,
    /// Our change is taken out of what the user made of it.
    Write { content: Vec<u8>, mode: u32, owner: (u32, u32) },
    /// That cannot be done without losing something.
    Conflict(Conflict),
}

impl Deed {
    /// The conflict, if it is one.
    pub(crate) fn conflict(self) -> Option<Conflict> {
        match self {
            Self::Conflict(conflict) => Some(conflict),
            Self::Nothing(_) | Self::PutBack | Self::Write { .. } => None,
        }
    }
}

/// What stands, or will stand once the later steps have been taken back; with the bytes, where we made them.
type Seen = (Standing, Option<Vec<u8>>);

/// What is to be done for every step on a file that was begun and not taken back, last step first. Changes nothing.
pub(crate) fn files(target: &Target, journal: &Journal) -> Result<Vec<(usize, Deed)>, Error> {
    let mut foreseen: HashMap<String, Seen> = HashMap::new();
    let mut deeds = Vec::new();
    for (index, step) in journal.plan.steps.iter().enumerate().rev() {
        let state = &journal.course.steps[index];
        let (Action::File { after, .. }, Some((images, _)), false) =
            (&step.action, &state.intent, state.reverted)
        else {
            continue;
        };
        let Some(image) = images.first() else { continue };
        let at = |error: io::Error| Error::at(&image.path, error);
        let now = match foreseen.get(&image.real) {
            Some(seen) => seen.clone(),
            None => (Standing::at(target, &image.real, Follow::Nothing).map_err(at)?, None),
        };
        let recorded = state.after.as_ref().and_then(|after| after.first().cloned());
        let ours = recorded.unwrap_or_else(|| Standing::of(after));
        let case = Case { target, journal, index, image, after: after.content(), ours: &ours };
        let (deed, next) = if now.0 == image.before {
            (Deed::Nothing(How::AlreadyBefore), now)
        } else if state.goal.as_ref() == Some(&now.0) {
            (Deed::Nothing(How::Merged), now)
        } else if now.0 == ours {
            (Deed::PutBack, (image.before.clone(), None))
        } else {
            case.edited(&now).map_err(at)?
        };
        foreseen.insert(image.real.clone(), next);
        deeds.push((index, deed));
    }
    Ok(deeds)
}

/// A file that is neither as before nor as we left it.
struct Case<'a> {
    target: &'a Target,
    journal: &'a Journal,
    index: usize,
    image: &'a Image,
    after: Option<&'a [u8]>,
    ours: &'a Standing,
}

impl Case<'_> {
    fn edited(&self, now: &Seen) -> io::Result<(Deed, Seen)> {
        let before = &self.image.before;
        let (
            Standing::File { mode, uid, gid, .. },
            Standing::File { mode: mode_then, uid: uid_then, gid: gid_then, .. },
            Standing::File { mode: mode_ours, uid: uid_ours, gid: gid_ours, .. },
        ) = (&now.0, before, self.ours)
        else {
            return Ok(self.conflict(now, &self.kinds(&now.0)));
        };
        // What the user changed of mode and owner is kept; what we changed is taken back.
        let pick = |now: u32, then: u32, ours: u32| if now == ours { then } else { now };
        let mode = pick(*mode, *mode_then, *mode_ours);
        let owner = (pick(*uid, *uid_then, *uid_ours), pick(*gid, *gid_then, *gid_ours));
        let content = if now.0.same_content(self.ours) {
            self.before()?
        } else if now.0.same_content(before) {
            self.now(now)?
        } else {
            let (base, mine, theirs) = (self.after.unwrap_or_default(), self.now(now)?, self.before()?);
            if mine.contains(&0) || base.contains(&0) || theirs.contains(&0) {
                return Ok(self.conflict(now, "it is not text, and was edited since"));
            }
            match diffy::merge_bytes(base, &mine, &theirs) {
                Ok(merged) => merged,
                Err(_) => return Ok(self.conflict(now, "it was edited since in the lines that we changed")),
            }
        };
        let next = Standing::File {
            digest: passthru_model::plan::Digest256::of(&content),
            size: content.len() as u64,
            mode,
            uid: owner.0,
            gid: owner.1,
        };
        let deed = if next == *before {
            Deed::PutBack
        } else if next == now.0 {
            Deed::Nothing(How::LeftAsEdited)
        } else {
            Deed::Write { content: content.clone(), mode, owner }
        };
        Ok((deed, (next, Some(content))))
    }

    fn kinds(&self, now: &Standing) -> String {
        match (&self.image.before, self.ours, now) {
            (_, Standing::File { .. } | Standing::Link { .. }, Standing::Absent) => {
                "it was removed since, and was there before us".to_owned()
            }
            (Standing::Absent, _, _) => "we made it, and it was edited since".to_owned(),
            (_, Standing::Absent, _) => "we removed it, and it was made anew since".to_owned(),
            _ => format!("since then {}", now.differs_from(self.ours).unwrap_or_default()),
        }
    }

    fn conflict(&self, now: &Seen, why: &str) -> (Deed, Seen) {
        let journal = self.journal.directory();
        let before = self.image.kept.as_ref().map(|kept| format!("{journal}/{kept}"));
        let ours = self.after.map(|_| format!("{journal}/after/{}", copy_name(self.index, &self.image.path)));
        let conflict = Conflict { path: self.image.path.clone(), before, ours, why: why.to_owned() };
        (Deed::Conflict(conflict), now.clone())
    }

    fn before(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.journal.kept(self.target, self.image)?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn now(&self, seen: &Seen) -> io::Result<Vec<u8>> {
        match &seen.1 {
            Some(content) => Ok(content.clone()),
            // Foreseen as a before-image of a later step, that is, as what this step left.
            None if seen.0.same_content(self.ours) => Ok(self.after.unwrap_or_default().to_vec()),
            None => {
                standing::bytes(self.target, &self.image.real, Follow::Nothing).map(Option::unwrap_or_default)
            }
        }
    }
}

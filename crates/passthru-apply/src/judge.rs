//! What is to be done with each file when steps are taken back, by comparing what stands there with what stood there
//! before the step and what the step left.

use std::io::{self, Read as _};

use passthru_formats::efi_variable;
use passthru_model::managed;
use passthru_model::plan::{Action, FileState};

use crate::by_hand::Prefix;
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

/// The steps on one file that were begun and not taken back, and what is to be done with it.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The steps, last first.
    pub(crate) steps: Vec<usize>,
    /// What stood there before the first of them.
    pub(crate) image: Image,
    /// The directories that were made for them, outermost first.
    pub(crate) directories: Vec<String>,
    /// What is to be done.
    pub(crate) deed: Result<Deed, Error>,
}

/// What is to be done with every file, the one that was changed last first. Changes nothing.
///
/// Several steps on one file are taken back as one: what the last of them left is compared with what stood there before
/// the first. So nothing between them ever has to be merged.
pub(crate) fn files(target: &Target, journal: &Journal) -> Vec<Judged> {
    let mut chains: Vec<Vec<Link<'_>>> = Vec::new();
    for (index, step) in journal.plan.steps.iter().enumerate().rev() {
        let state = &journal.course.steps[index];
        if let (Action::File { .. }, Some((images, directories)), false) =
            (&step.action, &state.intent, state.reverted)
            && let Some(image) = images.first()
        {
            match chains.iter_mut().find(|chain| chain[0].1.real == image.real) {
                Some(chain) => chain.push((index, image, directories)),
                None => chains.push(vec![(index, image, directories)]),
            }
        }
    }
    let judge = |chain: Vec<Link<'_>>| {
        let image = chain.last()?.1;
        Some(Judged {
            steps: chain.iter().map(|(index, ..)| *index).collect(),
            image: image.clone(),
            directories: chain.iter().rev().flat_map(|(_, _, made)| made.iter().cloned()).collect(),
            deed: deed(target, journal, &chain, image).map_err(|error| Error::at(&image.path, error)),
        })
    };
    chains.into_iter().filter_map(judge).collect()
}

/// One of several steps on a file: its index, what stood there before it, and the directories that it made.
type Link<'a> = (usize, &'a Image, &'a [String]);

fn deed(target: &Target, journal: &Journal, chain: &[Link<'_>], image: &Image) -> io::Result<Deed> {
    let last = chain[0].0;
    let is_variable = image.path.starts_with(managed::EFI_VARIABLES);
    if is_variable && target.directory(managed::EFI_VARIABLES).is_err() {
        // They are the machine's, and a mounted system does not have them.
        return Err(io::Error::other(format!(
            "the variables of the firmware are not to be seen there; `mount --rbind /sys {}` shows them",
            Prefix::now(target.path()).path("/sys")
        )));
    }
    let now = Standing::at(target, &image.real, Follow::Nothing)?;
    let after = |index: usize| match &journal.plan.steps[index].action {
        Action::File { after, .. } => Some(after),
        Action::Run { .. } | Action::Rebind { .. } | Action::Tune { .. } => None,
    };
    let state = |index: usize| &journal.course.steps[index];
    let left = |index: usize| {
        let recorded = state(index).after.as_ref().and_then(|after| after.first().cloned());
        recorded.or_else(|| after(index).map(Standing::of))
    };
    // A step that was begun and not done has left what it found.
    let ours =
        chain.iter().any(|(index, image, _)| now == image.before || Some(&now) == left(*index).as_ref());
    if now == image.before {
        Ok(Deed::Nothing(How::AlreadyBefore))
    } else if state(last).goal.as_ref() == Some(&now) {
        Ok(Deed::Nothing(How::Merged))
    } else if ours {
        Ok(Deed::PutBack)
    } else {
        let after = after(last).and_then(FileState::content);
        let ours = left(last).unwrap_or(Standing::Absent);
        Case { target, journal, index: last, image, after, ours }.edited(&now)
    }
}

/// A file that is neither as before nor as we left it.
struct Case<'a> {
    target: &'a Target,
    journal: &'a Journal,
    index: usize,
    image: &'a Image,
    after: Option<&'a [u8]>,
    ours: Standing,
}

impl Case<'_> {
    fn edited(&self, now: &Standing) -> io::Result<Deed> {
        let before = &self.image.before;
        let (
            Standing::File { mode, uid, gid, .. },
            Standing::File { mode: mode_then, uid: uid_then, gid: gid_then, .. },
            Standing::File { mode: mode_ours, uid: uid_ours, gid: gid_ours, .. },
        ) = (now, before, &self.ours)
        else {
            return Ok(self.conflict(&self.kinds(now)));
        };
        // What the user changed of mode and owner is kept; what we changed is taken back.
        let pick = |now: u32, then: u32, ours: u32| if now == ours { then } else { now };
        let mode = pick(*mode, *mode_then, *mode_ours);
        let owner = (pick(*uid, *uid_then, *uid_ours), pick(*gid, *gid_then, *gid_ours));
        let content = if now.same_content(&self.ours) {
            self.before()?
        } else if now.same_content(before) {
            self.now()?
        } else {
            let (base, mine, theirs) = (self.after.unwrap_or_default(), self.now()?, self.before()?);
            let merged = (self.image.path == managed::BOOT_ORDER)
                .then(|| efi_variable::order_without_our_change(&theirs, base, &mine))
                .flatten();
            if let Some(merged) = merged {
                return Ok(self.decided(now, merged, mode, owner));
            }
            if mine.contains(&0) || base.contains(&0) || theirs.contains(&0) {
                return Ok(self.conflict("it is not text, and was edited since"));
            }
            match diffy::merge_bytes(base, &mine, &theirs) {
                Ok(merged) => merged,
                Err(_) => return Ok(self.conflict("it was edited since in the lines that we changed")),
            }
        };
        Ok(self.decided(now, content, mode, owner))
    }

    /// What is done for a file to have this content, mode and owner.
    fn decided(&self, now: &Standing, content: Vec<u8>, mode: u32, owner: (u32, u32)) -> Deed {
        let next = Standing::File {
            digest: passthru_model::plan::Digest256::of(&content),
            size: content.len() as u64,
            mode,
            uid: owner.0,
            gid: owner.1,
        };
        if next == self.image.before {
            Deed::PutBack
        } else if next == *now {
            Deed::Nothing(How::LeftAsEdited)
        } else {
            Deed::Write { content, mode, owner }
        }
    }

    fn kinds(&self, now: &Standing) -> String {
        match (&self.image.before, &self.ours, now) {
            (_, Standing::File { .. } | Standing::Link { .. }, Standing::Absent) => {
                "it was removed since, and was there before us".to_owned()
            }
            (Standing::Absent, _, _) => "we made it, and it was edited since".to_owned(),
            (_, Standing::Absent, _) => "we removed it, and it was made anew since".to_owned(),
            _ => format!("since then {}", now.differs_from(&self.ours).unwrap_or_default()),
        }
    }

    fn conflict(&self, why: &str) -> Deed {
        let journal = self.journal.directory();
        let before = self.image.kept.as_ref().map(|kept| format!("{journal}/{kept}"));
        let ours = self.after.map(|_| format!("{journal}/after/{}", copy_name(self.index, &self.image.path)));
        Deed::Conflict(Conflict { path: self.image.path.clone(), before, ours, why: why.to_owned() })
    }

    fn before(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.journal.kept(self.target, self.image)?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn now(&self) -> io::Result<Vec<u8>> {
        standing::bytes(self.target, &self.image.real, Follow::Nothing).map(Option::unwrap_or_default)
    }
}

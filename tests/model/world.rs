//! The contract as a plain model: what must be so once everything has settled.

use super::story::Act;
use std::collections::{BTreeMap, BTreeSet};

/// A post or a comment.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) author: usize,
    pub(super) text: String,
    /// What it is a comment on.
    pub(super) on: Option<usize>,
    /// Not deleted itself; see [`World::stands`].
    deleted: bool,
}

/// An act whose target is known.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Post { text: String, twice: bool },
    Comment { on: usize, text: String, twice: bool },
    Edit { post: usize, text: String },
    Delete { post: usize },
    Like { post: usize, liked: bool },
    Follow { whom: usize, follows: bool },
    ReadAll,
    SignOut,
}

#[derive(Default)]
pub(super) struct World {
    /// In the order they were made.
    pub(super) posts: Vec<Post>,
    texts: usize,
    /// Who likes which post, and follows whom; those who once did are in `ever`.
    likes: Edges,
    follows: Edges,
    /// Who did something, or had it done to them.
    pub(super) touched: BTreeSet<usize>,
}

#[derive(Default)]
struct Edges {
    now: BTreeSet<(usize, usize)>,
    ever: BTreeSet<(usize, usize)>,
}

impl Edges {
    fn set(&mut self, from: usize, to: usize, stands: bool) {
        if stands {
            self.now.insert((from, to));
            self.ever.insert((from, to));
        } else {
            self.now.remove(&(from, to));
        }
    }
}

/// How often somebody may have been told of something: by each who does it still, at most by each who ever did.
pub(super) type Told = BTreeMap<(&'static str, Option<String>), (usize, usize)>;

impl World {
    /// What an act means now; None where it means nothing.
    pub(super) fn resolve(&mut self, by: usize, act: &Act) -> Option<Deed> {
        let post = |number: &usize| (!self.posts.is_empty()).then(|| number % self.posts.len());
        let among = |number: &usize, is_it: &dyn Fn(usize) -> bool| {
            let found: Vec<usize> = (0..self.posts.len()).filter(|post| is_it(*post)).collect();
            (!found.is_empty()).then(|| found[number % found.len()])
        };
        let own = |number: &usize| among(number, &|post| self.posts[post].author == by);
        // One's own, and what stands below it.
        let deletable =
            |number: &usize| among(number, &|post| self.chain(post).any(|one| self.posts[one].author == by));
        let deed = match act {
            Act::Post { twice } => Deed::Post { text: String::new(), twice: *twice },
            Act::Edit { post } => Deed::Edit { post: own(post)?, text: String::new() },
            Act::Delete { post } => Deed::Delete { post: deletable(post)? },
            Act::Comment { on, twice } => {
                let on = post(on).filter(|on| self.chain(*on).count() < 3)?;
                Deed::Comment { on, text: String::new(), twice: *twice }
            }
            Act::Like { post: number } => Deed::Like { post: post(number)?, liked: true },
            Act::Unlike { post: number } => Deed::Like { post: post(number)?, liked: false },
            Act::Follow { whom } | Act::Unfollow { whom } if *whom == by => return None,
            Act::Follow { whom } => Deed::Follow { whom: *whom, follows: true },
            Act::Unfollow { whom } => Deed::Follow { whom: *whom, follows: false },
            Act::ReadAll => Deed::ReadAll,
            Act::SignOut => Deed::SignOut,
        };
        self.touched.insert(by);
        if let Deed::Follow { whom, .. } = deed {
            self.touched.insert(whom);
        }
        Some(match deed {
            Deed::Post { twice, .. } => Deed::Post { text: self.text(by), twice },
            Deed::Comment { on, twice, .. } => Deed::Comment { on, text: self.text(by), twice },
            Deed::Edit { post, .. } => Deed::Edit { post, text: self.text(by) },
            other => other,
        })
    }

    /// A post or comment, and what it stands below.
    pub(super) fn chain(&self, post: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(post), |post| self.posts[*post].on)
    }

    /// Whether it is there: neither deleted itself, nor what it stands below.
    pub(super) fn stands(&self, post: usize) -> bool {
        self.chain(post).all(|one| !self.posts[one].deleted)
    }

    fn text(&mut self, by: usize) -> String {
        self.texts += 1;
        format!("text {} by {by}", self.texts)
    }

    /// What was done; `id` is that of what was made, if it was.
    pub(super) fn done(&mut self, by: usize, deed: &Deed, id: Option<String>) {
        match deed {
            Deed::Post { text, .. } | Deed::Comment { text, .. } => {
                let on = if let Deed::Comment { on, .. } = deed { Some(*on) } else { None };
                if let Some(id) = id {
                    self.posts.push(Post { id, author: by, text: text.clone(), on, deleted: false });
                }
            }
            Deed::Edit { post, text } if self.stands(*post) => self.posts[*post].text.clone_from(text),
            Deed::Delete { post } => self.posts[*post].deleted = true,
            Deed::Like { post, liked } => self.likes.set(by, *post, *liked),
            Deed::Follow { whom, follows } => self.follows.set(by, *whom, *follows),
            Deed::Edit { .. } | Deed::ReadAll | Deed::SignOut => {}
        }
    }

    pub(super) fn following(&self, by: usize) -> BTreeSet<usize> {
        self.follows.now.iter().filter(|(from, _)| *from == by).map(|(_, to)| *to).collect()
    }

    pub(super) fn followers(&self, of: usize) -> BTreeSet<usize> {
        self.follows.now.iter().filter(|(_, to)| *to == of).map(|(from, _)| *from).collect()
    }

    pub(super) fn likes(&self, by: usize, post: usize) -> bool {
        self.likes.now.contains(&(by, post))
    }

    pub(super) fn likes_count(&self, post: usize) -> usize {
        self.likes.now.iter().filter(|(_, liked)| *liked == post).count()
    }

    /// Standing comments on a post, or replies to a comment, oldest first.
    pub(super) fn comments(&self, on: usize) -> Vec<usize> {
        let mut comments: Vec<usize> = (0..self.posts.len())
            .filter(|comment| self.posts[*comment].on == Some(on) && self.stands(*comment))
            .collect();
        comments.sort_by(|a, b| self.posts[*a].id.cmp(&self.posts[*b].id));
        comments
    }

    /// Standing posts of these authors, newest first.
    pub(super) fn posts_by(&self, authors: &BTreeSet<usize>) -> Vec<usize> {
        let is_post = |post: &usize| self.stands(*post) && self.posts[*post].on.is_none();
        let mut posts: Vec<usize> =
            (0..self.posts.len()).filter(|post| is_post(post) && authors.contains(&self.posts[*post].author)).collect();
        posts.sort_by(|a, b| self.posts[*b].id.cmp(&self.posts[*a].id));
        posts
    }

    /// What somebody must have been told of, and may have been.
    pub(super) fn told(&self, owner: usize) -> Told {
        let mut told = Told::new();
        for comment in 0..self.posts.len() {
            let Some(on) = self.posts[comment].on.filter(|on| self.posts[*on].author == owner) else { continue };
            let by = self.posts[comment].author;
            if by != owner {
                let (least, most) = told.entry(("comment", Some(self.posts[on].id.clone()))).or_default();
                // Somebody who wrote several is told of once.
                let earlier = |other: &usize| self.posts[*other].author == by && self.posts[*other].on == Some(on);
                let first = !(0..comment).filter(earlier).any(|other| self.stands(other));
                *least += usize::from(first && self.stands(comment));
                *most += 1;
            }
        }
        for (edges, is_like) in [(&self.follows, false), (&self.likes, true)] {
            for edge in edges.ever.iter().filter(|(by, _)| *by != owner) {
                let post = is_like.then_some(edge.1);
                if post.map_or(edge.1, |post| self.posts[post].author) != owner {
                    continue;
                }
                let key = (if is_like { "like" } else { "follow" }, post.map(|post| self.posts[post].id.clone()));
                let (least, most) = told.entry(key).or_default();
                // Of a deleted post nobody need be told.
                *least += usize::from(edges.now.contains(edge) && post.is_none_or(|post| self.stands(post)));
                *most += 1;
            }
        }
        told
    }
}

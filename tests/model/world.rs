//! The contract as a plain model: what must be so once everything has settled.

use super::story::Act;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) author: usize,
    pub(super) text: String,
    pub(super) stands: bool,
}

/// An act whose target is known.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Post { text: String, twice: bool },
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
        let own = |number: &usize| {
            let own: Vec<usize> = (0..self.posts.len()).filter(|post| self.posts[*post].author == by).collect();
            (!own.is_empty()).then(|| own[number % own.len()])
        };
        let deed = match act {
            Act::Post { twice } => Deed::Post { text: String::new(), twice: *twice },
            Act::Edit { post } => Deed::Edit { post: own(post)?, text: String::new() },
            Act::Delete { post } => Deed::Delete { post: own(post)? },
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
            Deed::Edit { post, .. } => Deed::Edit { post, text: self.text(by) },
            other => other,
        })
    }

    fn text(&mut self, by: usize) -> String {
        self.texts += 1;
        format!("text {} by {by}", self.texts)
    }

    /// What was done; `id` is a new post's.
    pub(super) fn done(&mut self, by: usize, deed: &Deed, id: Option<String>) {
        match deed {
            Deed::Post { text, .. } => {
                let post = Post { id: id.unwrap_or_default(), author: by, text: text.clone(), stands: true };
                self.posts.push(post);
            }
            Deed::Edit { post, text } if self.posts[*post].stands => self.posts[*post].text.clone_from(text),
            Deed::Delete { post } => self.posts[*post].stands = false,
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

    /// Standing posts of these authors, newest first.
    pub(super) fn posts_by(&self, authors: &BTreeSet<usize>) -> Vec<usize> {
        let mut posts: Vec<usize> = (0..self.posts.len())
            .filter(|post| self.posts[*post].stands && authors.contains(&self.posts[*post].author))
            .collect();
        posts.sort_by(|a, b| self.posts[*b].id.cmp(&self.posts[*a].id));
        posts
    }

    /// What somebody must have been told of, and may have been.
    pub(super) fn told(&self, owner: usize) -> Told {
        let mut told = Told::new();
        for (edges, is_like) in [(&self.follows, false), (&self.likes, true)] {
            for edge in edges.ever.iter().filter(|(by, _)| *by != owner) {
                let post = is_like.then(|| &self.posts[edge.1]);
                if post.map_or(edge.1, |post| post.author) != owner {
                    continue;
                }
                let key = (if is_like { "like" } else { "follow" }, post.map(|post| post.id.clone()));
                let (least, most) = told.entry(key).or_default();
                // Of a deleted post nobody need be told.
                *least += usize::from(edges.now.contains(edge) && post.is_none_or(|post| post.stands));
                *most += 1;
            }
        }
        told
    }
}

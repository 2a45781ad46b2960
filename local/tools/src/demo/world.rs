//! What a demo is about: people named after shore birds, and what they say. The same for the same seed.

use super::Size;
use super::picture::Scene;
use fastrand::Rng;

const SEED: u64 = 20_261_122;

const FIRST: [&str; 20] = [
    "Amber", "Ashen", "Brisk", "Cliff", "Dusky", "Early", "Foggy", "Grey", "Hardy", "Inland", "Late", "Little",
    "North", "Pale", "Quiet", "Salt", "Sandy", "Stormy", "Tidal", "Windy",
];
const BIRDS: [&str; 24] = [
    "Auk",
    "Avocet",
    "Bittern",
    "Curlew",
    "Diver",
    "Dunlin",
    "Eider",
    "Fulmar",
    "Gannet",
    "Grebe",
    "Gull",
    "Heron",
    "Knot",
    "Petrel",
    "Plover",
    "Puffin",
    "Ruff",
    "Sanderling",
    "Scoter",
    "Skua",
    "Snipe",
    "Teal",
    "Tern",
    "Whimbrel",
];
const PLACES: [&str; 14] = [
    "Gull Point",
    "the Long Spit",
    "Mussel Bank",
    "the North Mole",
    "Herring Bay",
    "the Old Breakwater",
    "Samphire Marsh",
    "Lantern Head",
    "the Outer Flats",
    "Kelp Cove",
    "the Ferry Steps",
    "Driftwood Strand",
    "Seal Rocks",
    "the Little Sound",
];
const INTERESTS: [&str; 14] = [
    "tides",
    "mudflats",
    "lighthouses",
    "knots",
    "kites",
    "driftwood",
    "seaweed",
    "charts",
    "rowing",
    "storms",
    "shells",
    "ringing",
    "moths",
    "tea",
];
const BIOS: [&str; 8] = [
    "Mostly over water.",
    "Up before the tide.",
    "I count what flies past and forget half of it.",
    "Binoculars, flask, bad knees.",
    "Here for the waders.",
    "Paints boats, badly.",
    "Keeps a lighthouse that nobody needs any more.",
    "Weather, mainly.",
];
const COMMENTS: [&str; 12] = [
    "What a light!",
    "I was there an hour later and saw none of them.",
    "Which way did they go?",
    "The second one from the left is not what you think it is.",
    "Wonderful. I should get up earlier.",
    "It rained here all day.",
    "Is the path open again?",
    "I have the same picture, with my thumb in it.",
    "They were on the other side at noon.",
    "Thank you for this.",
    "How long did you wait?",
    "My feet get cold from looking at it.",
];
const GROUPS: [(&str, &str); 8] = [
    ("Morning counts", "Who was out, and what went by."),
    ("Boat shed", "Paint, rope and advice."),
    ("Lighthouse keepers", "And those who would like to be."),
    ("Tide tables", "When to be where."),
    ("Found on the strand", "Driftwood, shells, one boot."),
    ("Bad weather", "The worse the better."),
    ("Ringing station", "Numbers, please."),
    ("Tea and fog", "For when nothing flies."),
];

/// Somebody.
pub(super) struct Person {
    pub(super) username: String,
    pub(super) full_name: String,
    pub(super) bio: &'static str,
    pub(super) location: &'static str,
    pub(super) interests: Vec<&'static str>,
    pub(super) avatar: u64,
}

/// A post with a picture. People and posts are named by their places in the plan.
pub(super) struct DemoPost {
    pub(super) author: usize,
    pub(super) text: String,
    pub(super) scene: Scene,
    /// Whether the picture is described in words.
    pub(super) is_described: bool,
}

pub(super) struct Comment {
    pub(super) author: usize,
    pub(super) post: usize,
    pub(super) text: &'static str,
}

pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// The first one makes it.
    pub(super) members: Vec<usize>,
}

/// All that is to be done.
pub(super) struct Plan {
    pub(super) people: Vec<Person>,
    pub(super) posts: Vec<DemoPost>,
    pub(super) follows: Vec<(usize, usize)>,
    pub(super) likes: Vec<(usize, usize)>,
    pub(super) comments: Vec<Comment>,
    pub(super) groups: Vec<Group>,
}

fn pick<T: Copy>(rng: &mut Rng, among: &[T]) -> T {
    among[rng.usize(..among.len())]
}

impl Plan {
    pub(super) fn new(size: Size) -> Self {
        let mut rng = Rng::with_seed(SEED);
        let rng = &mut rng;
        let people = people(rng, size.people);
        let posts = (0..size.posts).map(|_| post(rng, &people)).collect();
        let (mut follows, mut likes, mut comments) = (Vec::new(), Vec::new(), Vec::new());
        for follower in 0..size.people {
            // People early in the list are followed most.
            let followed = some(rng, size.people, 3..7, |rng, all| rng.usize(..all).min(rng.usize(..all)));
            follows.extend(followed.into_iter().filter(|one| *one != follower).map(|one| (follower, one)));
        }
        for post in 0..size.posts {
            // Most are liked a little or not at all, and a few a lot.
            let most = match rng.u8(..10) {
                0 => 8,
                1..5 => 2,
                _ => 1,
            };
            likes.extend(
                some(rng, size.people, 0..most, |rng, all| rng.usize(..all)).into_iter().map(|who| (who, post)),
            );
            if rng.u8(..8) == 0 {
                comments.push(Comment { author: rng.usize(..size.people), post, text: pick(rng, &COMMENTS) });
            }
        }
        let groups = GROUPS.iter().map(|(name, description)| Group {
            name,
            description,
            members: some(rng, size.people, 5..13, |rng, all| rng.usize(..all)),
        });
        let groups = groups.collect();
        Self { people, posts, follows, likes, comments, groups }
    }
}

/// Some of `n`, each once.
fn some(rng: &mut Rng, all: usize, many: std::ops::Range<usize>, one: impl Fn(&mut Rng, usize) -> usize) -> Vec<usize> {
    let mut chosen = Vec::new();
    for _ in 0..rng.usize(many) {
        let next = one(rng, all);
        if !chosen.contains(&next) {
            chosen.push(next);
        }
    }
    chosen
}

/// Names in an order of their own; once there are no more, with a number.
fn people(rng: &mut Rng, count: usize) -> Vec<Person> {
    let mut names: Vec<_> = FIRST.iter().flat_map(|first| BIRDS.iter().map(move |bird| (*first, *bird))).collect();
    rng.shuffle(&mut names);
    let person = |n: usize| {
        let ((first, bird), round) = (names[n % names.len()], n / names.len());
        let number = if round == 0 { String::new() } else { (round + 1).to_string() };
        Person {
            username: format!("{first}_{bird}{number}").to_lowercase(),
            full_name: format!("{first} {bird}"),
            bio: pick(rng, &BIOS),
            location: pick(rng, &PLACES),
            interests: rng.choose_multiple(INTERESTS, 3),
            avatar: rng.u64(..),
        }
    };
    (0..count).map(person).collect()
}

fn post(rng: &mut Rng, people: &[Person]) -> DemoPost {
    let scene = Scene::new(rng.u64(..));
    let (place, other) = (pick(rng, &PLACES), pick(rng, &PLACES));
    let (bird, tag) = (pick(rng, &BIRDS).to_lowercase(), pick(rng, &INTERESTS));
    let (n, hour) = (rng.u8(2..60), rng.u8(4..12));
    let text = match rng.u8(..10) {
        0 => format!("Low tide at {place}: {n} of the {bird} kind, and me. #{tag}"),
        1 => format!("The first {bird} of the season, over {place}. #{tag} #{bird}"),
        2 => format!("Walked from {place} to {other} before {hour} o'clock. Worth it."),
        3 => format!("Does anybody know why there is no {bird} at {place} any more? #{bird}"),
        4 => format!("Tea, fog, and nothing that flies. {n} minutes more, then home. #tea"),
        5 => format!("The light at {place} tonight. #{tag}"),
        6 => format!("Somebody has painted the boathouse at {place}. I approve. #{tag}"),
        7 => format!("{n} in an hour, and then the wind turned. #ringing #{bird}"),
        8 => {
            let friend = &people[rng.usize(..people.len())].username;
            format!("@{friend} you asked about {place}: this is what it looks like today. #{tag}")
        }
        _ => format!("Nobody at {place} but a {bird} that looked as cold as I was. #storms"),
    };
    let author = rng.usize(..people.len()).min(rng.usize(..people.len()));
    DemoPost { author, text, scene, is_described: rng.u8(..4) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_plan_is_the_same_each_time_and_names_nobody_twice() {
        let size = Size { people: 700, posts: 50 };
        let (one, two) = (Plan::new(size), Plan::new(size));
        let names: HashSet<_> = one.people.iter().map(|person| &person.username).collect();
        assert_eq!(names.len(), 700);
        assert!(names.iter().all(|name| (3..=20).contains(&name.len())), "{names:?}");
        let texts = |plan: &Plan| plan.posts.iter().map(|post| post.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&one), texts(&two));
        assert_eq!((one.follows.clone(), one.likes.clone()), (two.follows.clone(), two.likes.clone()));
        assert!(one.follows.iter().all(|(from, to)| from != to));
    }
}

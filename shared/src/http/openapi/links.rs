//! Links: which operations take the id of what a 201 answers with.

use super::{SIGNED, operations};
use std::collections::BTreeMap;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Components, OpenApi, Ref, RefOr};

/// Collections whose members are those of another one, too.
const ALSO_IN: [(&str, &str); 6] = [
    ("/posts", "/posts/scheduled"),
    ("/tweets", "/posts/scheduled"),
    ("/posts/{id}/comments", "/posts"),
    ("/groups/{id}/posts", "/posts"),
    ("/tweets", "/posts"),
    ("/media/uploads", "/media"),
];

/// Adds them to the responses; each is described once, in the components.
pub(super) fn add(document: &mut OpenApi, components: &mut Components) {
    let mut members: BTreeMap<String, Vec<(String, Link)>> = BTreeMap::new();
    for (path, item) in &mut document.paths.paths {
        let Some((collection, parameter)) = collection(path).filter(|_| path != SIGNED) else { continue };
        for (_, operation) in operations(item) {
            let id = operation.operation_id.clone().unwrap_or_default();
            members.entry(collection.to_owned()).or_default().push((id.clone(), link(id, collection, parameter)));
        }
    }
    for (path, item) in &mut document.paths.paths {
        let also = ALSO_IN.iter().filter(|(form, _)| form == path).map(|(_, collection)| *collection);
        let linked = std::iter::once(path.as_str()).chain(also).filter_map(|of| members.get(of)).flatten();
        let linked: Vec<_> = linked.collect();
        for (_, operation) in operations(item) {
            let Some(links) = created(operation) else { continue };
            for (name, link) in &linked {
                links.insert(name.clone(), RefOr::Ref(Ref::new(format!("#/components/links/{name}"))));
                components.links.insert(name.clone(), RefOr::T(link.clone()));
            }
        }
    }
}

/// The collection that a path's last parameter chooses from, and that parameter: of `/posts/{id}/likes` `/posts` and `id`.
fn collection(path: &str) -> Option<(&str, &str)> {
    let (before, rest) = path.rsplit_once("/{")?;
    Some((before, rest.split('}').next()?))
}

/// The call of an operation with the id of what was made; what stands before it in the path is as in the request.
fn link(operation: String, collection: &str, parameter: &str) -> Link {
    let same = collection.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut link = Link::builder().operation_id(operation).parameter(parameter, "$response.body#/id");
    for parameter in same {
        link = link.parameter(parameter, format!("$request.path.{parameter}"));
    }
    link.build()
}

fn created(operation: &mut Operation) -> Option<&mut BTreeMap<String, RefOr<Link>>> {
    match operation.responses.responses.get_mut("201")? {
        RefOr::T(response) => Some(&mut response.links),
        RefOr::Ref(_) => None,
    }
}

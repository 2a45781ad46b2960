//! Lists, read page by page.

use super::{Client, Response};
use serde_json::Value;

/// A list's items, along its links to the end.
pub(crate) async fn walk(client: &Client, path: &str) -> Vec<Value> {
    let (mut items, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let page = client.get(&path).await.expect(200);
        items.extend(page.items());
        next = page.next();
    }
    items
}

/// Ids, in the list's order.
pub(crate) fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

/// The ids of one page.
pub(crate) async fn page_ids(client: &Client, path: &str) -> Vec<String> {
    ids(&client.get(path).await.expect(200).items())
}

/// Newest first.
pub(crate) fn newest_first(ids: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut ids: Vec<String> = ids.into_iter().collect();
    ids.sort_by(|a, b| b.cmp(a));
    ids
}

impl Response {
    /// A page's items.
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().expect("items").clone()
    }

    /// The address of the next page: that of the `Link` header, which must carry the body's cursor.
    #[track_caller]
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        match self.json()["next_cursor"].as_str() {
            Some(cursor) => assert!(link.is_some_and(|link| link.ends_with(&format!("cursor={cursor}"))), "{link:?}"),
            None => assert_eq!(self.header("link"), "", "a link where nothing follows"),
        }
        link.map(str::to_owned)
    }
}

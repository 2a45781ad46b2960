//! Which route of an HTTP API takes a request, as API Gateway decides it.

use http::Method;

/// The routes of an API, each leading to a `T`.
#[derive(Debug)]
pub struct Routes<T> {
    /// The most specific first.
    routes: Vec<Route<T>>,
    default: Option<T>,
}

#[derive(Debug)]
struct Route<T> {
    /// `ANY /users/{proxy+}`, as events name it.
    key: String,
    /// Any, if absent.
    method: Option<Method>,
    pattern: Vec<Segment>,
    target: T,
}

#[derive(Debug)]
enum Segment {
    /// `{proxy+}`: everything from here on, which may be nothing but the slash before it.
    Greedy(String),
    /// `{id}`: one segment that is not empty.
    Parameter(String),
    Static(String),
}

/// The route that takes a request.
#[derive(Debug)]
pub struct Match<'r, T> {
    /// `ANY /users/{proxy+}`, as events name it.
    pub key: &'r str,
    /// Where it leads.
    pub target: &'r T,
    /// Names and values of the path's parameters, still percent-encoded.
    pub parameters: Vec<(&'r str, String)>,
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self { routes: Vec::new(), default: None }
    }
}

impl<T> Routes<T> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route: `method` may be `ANY`, `path` may be `$default`.
    pub fn add(&mut self, method: &str, path: &str, target: T) {
        if path == "$default" {
            self.default = Some(target);
            return;
        }
        let route = Route {
            key: format!("{method} {path}"),
            method: Method::from_bytes(method.as_bytes()).ok().filter(|_| method != "ANY"),
            pattern: segments(path).map(Segment::parse).collect(),
            target,
        };
        self.routes.push(route);
        self.routes.sort_by_cached_key(|route| std::cmp::Reverse((route.specificity(), route.method.is_some())));
    }

    /// The route for `path`, which starts with a slash and has no stage.
    pub fn find(&self, method: &Method, path: &str) -> Option<Match<'_, T>> {
        let path: Vec<_> = segments(path).collect();
        let takes = |route: &Route<T>| route.method.as_ref().is_none_or(|own| own == method);
        self.routes
            .iter()
            .filter(|route| takes(route))
            .find_map(|route| {
                let parameters = route.parameters(&path)?;
                Some(Match { key: &route.key, target: &route.target, parameters })
            })
            .or_else(|| {
                let target = self.default.as_ref()?;
                Some(Match { key: "$default", target, parameters: Vec::new() })
            })
    }
}

impl<T> Route<T> {
    /// Compares segment by segment: static over parameter over greedy.
    fn specificity(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Greedy(_) => 0,
            Segment::Parameter(_) => 1,
            Segment::Static(_) => 2,
        };
        self.pattern.iter().map(rank).collect()
    }

    /// The parameters' values, if the path is this route's.
    fn parameters(&self, path: &[&str]) -> Option<Vec<(&str, String)>> {
        let mut parameters = Vec::new();
        for (index, segment) in self.pattern.iter().enumerate() {
            let actual = *path.get(index)?;
            match segment {
                Segment::Static(expected) if expected == actual => {}
                Segment::Parameter(name) if !actual.is_empty() => parameters.push((name.as_str(), actual.to_owned())),
                Segment::Greedy(name) => {
                    parameters.push((name.as_str(), path[index..].join("/")));
                    return Some(parameters);
                }
                _ => return None,
            }
        }
        (path.len() == self.pattern.len()).then_some(parameters)
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        let name = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match name.map(|name| (name, name.strip_suffix('+'))) {
            Some((_, Some(greedy))) => Self::Greedy(greedy.to_owned()),
            Some((name, None)) => Self::Parameter(name.to_owned()),
            None => Self::Static(text.to_owned()),
        }
    }
}

fn segments(path: &str) -> std::str::Split<'_, char> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &[(&str, &str)] = &[
        ("ANY", "$default"),
        ("ANY", "/users/{proxy+}"),
        ("ANY", "/users"),
        ("GET", "/users/{id}"),
        ("GET", "/users/me"),
        ("ANY", "/users/{id}/posts"),
        ("POST", "/pets"),
        ("GET", "/{any}/dog"),
    ];

    #[test]
    fn precedence_is_static_parameter_greedy_default_and_a_method_over_any() {
        let mut routes = Routes::new();
        for (method, path) in ROUTES {
            routes.add(method, path, ());
        }
        for (method, path, key, parameters) in [
            (Method::GET, "/users", "ANY /users", ""),
            (Method::HEAD, "/users", "ANY /users", ""),
            (Method::GET, "/users/me", "GET /users/me", ""),
            (Method::GET, "/users/usr_1", "GET /users/{id}", "id=usr_1"),
            // A route of another method is no route: the next best takes it.
            (Method::POST, "/users/me", "ANY /users/{proxy+}", "proxy=me"),
            (Method::HEAD, "/users/me", "ANY /users/{proxy+}", "proxy=me"),
            (Method::GET, "/users/usr_1/posts", "ANY /users/{id}/posts", "id=usr_1"),
            (Method::GET, "/users/usr_1/likes/2", "ANY /users/{proxy+}", "proxy=usr_1/likes/2"),
            // A slash at the end makes another path.
            (Method::GET, "/users/", "ANY /users/{proxy+}", "proxy="),
            (Method::GET, "/users/me/", "ANY /users/{proxy+}", "proxy=me/"),
            (Method::POST, "/pets/", "$default", ""),
            (Method::POST, "/pets", "POST /pets", ""),
            (Method::GET, "/pets", "$default", ""),
            (Method::GET, "/cat/dog", "GET /{any}/dog", "any=cat"),
            // A static segment further left wins.
            (Method::GET, "/users/dog", "GET /users/{id}", "id=dog"),
            (Method::GET, "//dog", "$default", ""),
            (Method::GET, "/userss", "$default", ""),
            (Method::GET, "/", "$default", ""),
        ] {
            let found = routes.find(&method, path).unwrap();
            let actual: Vec<_> = found.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!((found.key, actual.join("&").as_str()), (key, parameters), "{method} {path}");
        }
    }

    /// The example of "Routing API requests" in API Gateway's developer guide, and what the text beside it says.
    #[test]
    fn the_most_specific_route_takes_a_request() {
        let mut routes = Routes::new();
        for (method, path) in [
            ("ANY", "$default"),
            ("ANY", "/{proxy+}"),
            ("GET", "/pets/{proxy+}"),
            ("GET", "/pets/dog/{id}"),
            ("ANY", "/pets/dog/1"),
            ("GET", "/pets/dog/1"),
        ] {
            routes.add(method, path, ());
        }
        for (method, path, key) in [
            (Method::GET, "/pets/dog/1", "GET /pets/dog/1"),
            // ANY is for the methods that a path has no route of its own for.
            (Method::POST, "/pets/dog/1", "ANY /pets/dog/1"),
            (Method::HEAD, "/pets/dog/1", "ANY /pets/dog/1"),
            (Method::OPTIONS, "/pets/dog/1", "ANY /pets/dog/1"),
            (Method::GET, "/pets/dog/2", "GET /pets/dog/{id}"),
            (Method::HEAD, "/pets/dog/2", "ANY /{proxy+}"),
            (Method::GET, "/pets/cat/1", "GET /pets/{proxy+}"),
            (Method::GET, "/pets/dog/1/", "GET /pets/{proxy+}"),
            (Method::GET, "/pets/", "GET /pets/{proxy+}"),
            (Method::GET, "/pets", "ANY /{proxy+}"),
            (Method::POST, "/test/5", "ANY /{proxy+}"),
        ] {
            assert_eq!(routes.find(&method, path).unwrap().key, key, "{method} {path}");
        }
    }

    #[test]
    fn without_a_default_route_nothing_may_take_a_request() {
        let mut routes = Routes::new();
        routes.add("GET", "/users", ());
        assert!(routes.find(&Method::GET, "/posts").is_none());
        assert!(routes.find(&Method::POST, "/users").is_none());
    }
}

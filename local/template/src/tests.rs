use super::resolve::long_form;
use super::*;
use crate::REGION;
use serde_json::json;

const TEMPLATE: &str = include_str!("../../../template.yaml");

fn overrides(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn environment(model: &Model, binary: &str) -> BTreeMap<String, String> {
    let bindings = Bindings { queues: "http://127.0.0.1:1".to_owned() };
    let function = model.functions.iter().find(|function| function.binary == binary).unwrap();
    model.environment(function, &bindings).unwrap()
}

#[test]
fn the_product_template_becomes_a_model() {
    let model = Model::parse(TEMPLATE, &overrides(&[("PublicUrl", "http://localhost:3000")])).unwrap();
    assert_eq!(model.stages, ["api", "v1"]);
    assert_eq!(model.table.properties["TableName"], "Table");
    assert_eq!(model.table.properties["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    let [bucket] = model.buckets.as_slice() else { panic!("{:?}", model.buckets) };
    assert_eq!(bucket.name, "mediabucket");
    let [rule] = bucket.cors() else { panic!("{:?}", bucket.cors()) };
    assert_eq!(rule.allowed_origins, ["*"]);
    assert_eq!(
        (rule.allowed_methods.as_slice(), rule.max_age),
        (["GET", "HEAD", "PUT"].map(String::from).as_slice(), Some(7200))
    );
    assert_eq!(model.cors.as_ref().unwrap().allow_origins, ["*"]);

    let fanout = model.queues.iter().find(|queue| queue.name == "FanoutQueue").unwrap();
    assert_eq!(fanout.visibility_timeout(), Duration::from_secs(360));
    let redrive = fanout.redrive_policy.as_ref().unwrap();
    assert_eq!((redrive.dead_letter_queue.as_str(), redrive.max_receive_count), ("FanoutDlq", 15));

    let users = model.functions.iter().find(|function| function.binary == "users").unwrap();
    assert_eq!((users.memory, users.timeout), (1769, Duration::from_secs(15)));
    assert!(users.events.iter().any(|event| matches!(event, Event::HttpApi(route) if route.path == "/users/{proxy+}")));

    let dispatch = model.functions.iter().find(|function| function.binary == "dispatch").unwrap();
    let [Event::Stream(stream), Event::Queue(set_aside)] = dispatch.events.as_slice() else {
        panic!("{:?}", dispatch.events)
    };
    assert_eq!((set_aside.queue.as_str(), set_aside.maximum_concurrency()), ("DispatchQueue", Some(2)));
    assert_eq!(stream.on_failure(), Some("DispatchDlq"));
    assert_eq!(stream.filters().next().unwrap()["eventName"][0], "INSERT");
}

#[test]
fn an_environment_is_the_globals_and_the_functions_own() {
    let model = Model::parse(TEMPLATE, &overrides(&[("PublicUrl", "http://localhost:3000")])).unwrap();
    let users = environment(&model, "users");
    assert_eq!(users["TABLE_NAME"], "Table");
    assert_eq!(users["FANOUT_QUEUE_URL"], "http://127.0.0.1:1/000000000000/FanoutQueue");
    assert_eq!(users["PUBLIC_URL"], "http://localhost:3000");
    assert_eq!(users["SIGNING_KEYS_ARN"], format!("arn:aws:secretsmanager:{REGION}:000000000000:secret:SigningKeys"));
    assert_eq!(users["FANOUT_LIMIT"], "10000");
    assert!(!environment(&model, "docs").contains_key("SIGNING_KEYS_ARN"));

    let model = Model::parse(TEMPLATE, &BTreeMap::new()).unwrap();
    assert_eq!(
        environment(&model, "notify")["PUBLIC_URL"],
        format!("https://HttpApi.execute-api.{REGION}.amazonaws.com")
    );
}

#[test]
fn links_start_with_the_domain_unless_they_are_told_otherwise() {
    let certificate = ("CertificateArn", "arn:aws:acm:eu-central-1:000000000000:certificate/c");
    let domains = [certificate, ("DomainName", "api.example.org"), ("SocketsDomainName", "sockets.example.org")];
    let urls = |given: &[(&str, &str)]| {
        let model = Model::parse(TEMPLATE, &overrides(given)).unwrap();
        let (users, notify) = (environment(&model, "users"), environment(&model, "notify"));
        assert_eq!(users["SOCKETS_URL"], notify["SOCKETS_URL"]);
        [users["PUBLIC_URL"].clone(), notify["PUBLIC_URL"].clone(), users["SOCKETS_URL"].clone()]
    };
    let own = "https://api.example.org";
    assert_eq!(urls(&domains), [own, own, "wss://sockets.example.org"]);
    let told = [("PublicUrl", "https://cdn.example.org"), ("SocketsUrl", "wss://cdn.example.org")];
    let cdn = "https://cdn.example.org";
    assert_eq!(urls(&[domains.as_slice(), &told].concat()), [cdn, cdn, "wss://cdn.example.org"]);
}

/// Resolves one value beside a few parameters and resources.
fn resolve(yaml: &str) -> Result<Value, String> {
    let value = long_form(serde_yaml_ng::from_str(yaml).unwrap(), "").map_err(|error| error.to_string())?;
    let resolver = Resolver {
        conditions: &json!({ "Yes": { "Fn::Equals": [{ "Ref": "P" }, "p"] }, "No": { "Fn::Not": [{ "Condition": "Yes" }] } }),
        resources: &json!({ "T": { "Type": "AWS::DynamoDB::Table" }, "Q": { "Type": "AWS::SQS::Queue" } }),
        parameters: &BTreeMap::from([("P".to_owned(), json!("p")), ("L".to_owned(), json!(["a", "b"]))]),
        bindings: &Bindings { queues: "http://q".to_owned() },
    };
    resolver.resolve(&value, "Here").map_err(|error| error.to_string())
}

#[test]
fn intrinsics_resolve_in_both_forms() {
    for (yaml, expected) in [
        ("!Ref P", json!("p")),
        ("{ Ref: L }", json!(["a", "b"])),
        ("!Ref AWS::Region", json!(REGION)),
        ("!Ref Q", json!("http://q/000000000000/Q")),
        ("!GetAtt T.Arn", json!(format!("arn:aws:dynamodb:{REGION}:000000000000:table/T"))),
        ("{ 'Fn::GetAtt': [Q, QueueName] }", json!("Q")),
        ("!Sub '${P}-${T}-${Q.Arn}-${!P}'", json!(format!("p-T-arn:aws:sqs:{REGION}:000000000000:Q-${{P}}"))),
        ("!Sub ['${X}', { X: !Ref P }]", json!("p")),
        ("!Join ['-', [a, !Ref P, 1]]", json!("a-p-1")),
        ("!Join [',', !Ref L]", json!("a,b")),
        ("!If [Yes, 1, 2]", json!(1)),
        ("!If [No, 1, 2]", json!(2)),
        ("{ a: !If [No, 1, !Ref AWS::NoValue], b: 2 }", json!({ "b": 2 })),
        ("!And [!Condition Yes, !Equals [a, a]]", json!(true)),
        ("!Or [!Condition No, !Equals [a, b]]", json!(false)),
    ] {
        assert_eq!(resolve(yaml), Ok(expected), "{yaml}");
    }
}

#[test]
fn what_is_unknown_is_an_error_that_names_its_place() {
    for (yaml, message) in [
        ("{ a: [!Ref Nowhere] }", "Here.a[0]: there is no parameter or resource Nowhere"),
        ("!GetAtt Nowhere.Arn", "Here: there is no parameter or resource Nowhere"),
        ("!GetAtt T.Colour", "Here: T.Colour is not known locally"),
        ("!Select [0, [a]]", "Here: Fn::Select is not supported locally"),
        ("!If [Maybe, 1, 2]", "Here: there is no condition Maybe"),
        ("!Sub '${P'", "Here: a ${ is not closed"),
    ] {
        assert_eq!(resolve(yaml), Err(message.to_owned()), "{yaml}");
    }
}

#[test]
fn parameters_are_checked() {
    for (overridden, message) in [
        (("Nowhere", "1"), "Parameters: there is no parameter Nowhere"),
        (("PublicReading", "yes"), "Parameters.PublicReading: \"yes\" is none of on, off"),
    ] {
        let error = Model::parse(TEMPLATE, &overrides(&[overridden])).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn schedules_are_rates() {
    let every = |schedule: &str| {
        let event = json!({ "Type": "Schedule", "Properties": { "Schedule": schedule } });
        match serde_json::from_value(event) {
            Ok(Event::Schedule(schedule)) => Some(schedule.every.as_secs()),
            _ => None,
        }
    };
    assert_eq!(every("rate(1 minute)"), Some(60));
    assert_eq!(every("rate(2 hours)"), Some(7200));
    assert_eq!(every("rate(0 minutes)"), None);
    assert_eq!(every("cron(0 * * * ? *)"), None);
}

#[test]
fn batches_are_what_lambda_takes() {
    let window = "            MaximumBatchingWindowInSeconds: 20\n";
    assert!(TEMPLATE.contains(window));
    for (changed, what) in [
        (TEMPLATE.replace(window, ""), "needs a MaximumBatchingWindowInSeconds"),
        (TEMPLATE.replace("BatchSize: 10000\n", "BatchSize: 10001\n"), "1 to 10000"),
        (TEMPLATE.replace(window, &window.replace("20", "301")), "300 s at most"),
    ] {
        let error = Model::parse(&changed, &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.starts_with("ViewsFunction.Events.Views: ") && error.contains(what), "{error}");
    }
}

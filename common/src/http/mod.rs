//! What every service mounts: conventions of the native face, TLS with client certificates,
//! problems, the hop to blocking threads.

pub mod body;
pub mod conditional;
pub mod conventions;
pub mod document;
pub mod negotiate;
pub mod problem;
pub mod request;
pub mod server;
pub mod site;
pub mod tls;
pub mod work;

pub use body::Query;
pub use problem::Problem;
pub use work::Work;

use actix_web::http::Method;
use actix_web::{HttpRequest, Route, guard, web};

/// One path with its methods; others are answered 405 with `Allow`. What has GET has HEAD, too.
pub fn resource(
    path: &str,
    routes: impl IntoIterator<Item = (Method, Route)>,
) -> actix_web::Resource {
    let mut resource = web::resource(path.to_owned());
    let mut allowed = Vec::new();
    for (method, route) in routes {
        allowed.push(method.to_string());
        let mut methods = guard::Any(guard::Method(method.clone()));
        if method == Method::GET {
            allowed.push(Method::HEAD.to_string());
            methods = methods.or(guard::Head());
        }
        resource = resource.route(route.guard(methods));
    }
    let allowed = allowed.join(", ");
    resource.default_service(web::to(move |_: HttpRequest| {
        let problem = Problem::method_not_allowed(&allowed);
        std::future::ready(Err::<actix_web::HttpResponse, _>(problem))
    }))
}

//! The functions of `wasi:http/types` and `wasi:http/outgoing-handler`. They are WASI's own, and what they keep in the host is
//! charged to the call's memory.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::{
    Duration, ErrorCode, Host, HostFields, HostFutureIncomingResponse, HostFutureTrailers, HostIncomingBody,
    HostIncomingRequest, HostIncomingResponse, HostOutgoingBody, HostOutgoingRequest, HostOutgoingResponse,
    HostRequestOptions, HostResponseOutparam, IoError, Method, Scheme, StatusCode,
};
use wasmtime_wasi_http::p2::{HeaderError, HeaderResult, HttpError, HttpResult, body, types};
use wasmtime_wasi_http::{FieldMap, RequestOptions, WasiHttpCtxView};

use super::super::capability::View;
use super::super::streams::{charged_input, charged_output};
use super::ctx::HttpCtx;
use super::kept::{BODY, CONNECTION, PENDING, TRAILERS, Weight};

type HttpView<'a> = View<'a, HttpCtx>;

type Fields = Resource<FieldMap>;
type Request = Resource<types::HostOutgoingRequest>;
type Answer = Resource<types::HostIncomingResponse>;
type Pending = Resource<types::HostFutureIncomingResponse>;
type RequestBody = Resource<body::HostOutgoingBody>;
type AnswerBody = Resource<body::HostIncomingBody>;
type Trailers = Resource<body::HostFutureTrailers>;
type Options = Resource<RequestOptions>;

/// A result of a function that may be called once.
type Once<T> = Result<Resource<T>, ()>;

impl HttpView<'_> {
    /// WASI's own functions.
    fn wasi(&mut self) -> WasiHttpCtxView<'_> {
        self.ctx.wasi_view(self.base.table())
    }

    /// Charges what a resource keeps now.
    fn weigh<T: Weight + 'static>(&mut self, rep: u32) -> wasmtime::Result<()> {
        let bytes = self.base.table().get(&Resource::<T>::new_borrow(rep))?.weight();
        self.hold(rep, bytes)
    }

    /// Charges so many bytes for a resource.
    fn hold(&mut self, rep: u32, bytes: usize) -> wasmtime::Result<()> {
        Ok(self.ctx.kept.set(&self.base.memory, rep, bytes)?)
    }

    /// Ends the charge of a resource that is dropped.
    fn release(&mut self, rep: u32) {
        drop(self.ctx.kept.take(rep));
    }
}

/// Functions that keep nothing are WASI's own.
macro_rules! pass_on {
    ($of:ident: $($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)*) => {
        $(fn $name(&mut self, $($arg: $kind),*) -> $out {
            $of::$name(&mut self.wasi(), $($arg),*)
        })*
    };
}

impl Host for HttpView<'_> {
    pass_on! { Host:
        convert_error_code(error: HttpError) -> wasmtime::Result<ErrorCode>;
        convert_header_error(error: HeaderError) -> wasmtime::Result<
            wasmtime_wasi_http::p2::bindings::http::types::HeaderError>;
        http_error_code(error: Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>>;
    }
}

impl HostFields for HttpView<'_> {
    pass_on! { HostFields:
        get(fields: Fields, name: String) -> wasmtime::Result<Vec<Vec<u8>>>;
        has(fields: Fields, name: String) -> wasmtime::Result<bool>;
        entries(fields: Fields) -> wasmtime::Result<Vec<(String, Vec<u8>)>>;
    }

    fn new(&mut self) -> wasmtime::Result<Fields> {
        let fields = HostFields::new(&mut self.wasi())?;
        self.weigh::<FieldMap>(fields.rep())?;
        Ok(fields)
    }

    fn from_list(&mut self, entries: Vec<(String, Vec<u8>)>) -> HeaderResult<Fields> {
        let fields = HostFields::from_list(&mut self.wasi(), entries)?;
        self.weigh::<FieldMap>(fields.rep()).map_err(HeaderError::trap)?;
        Ok(fields)
    }

    fn clone(&mut self, fields: Fields) -> wasmtime::Result<Fields> {
        let copy = HostFields::clone(&mut self.wasi(), fields)?;
        self.weigh::<FieldMap>(copy.rep())?;
        Ok(copy)
    }

    fn set(&mut self, fields: Fields, name: String, values: Vec<Vec<u8>>) -> HeaderResult<()> {
        let rep = fields.rep();
        HostFields::set(&mut self.wasi(), fields, name, values)?;
        self.weigh::<FieldMap>(rep).map_err(HeaderError::trap)
    }

    fn append(&mut self, fields: Fields, name: String, value: Vec<u8>) -> HeaderResult<()> {
        let rep = fields.rep();
        HostFields::append(&mut self.wasi(), fields, name, value)?;
        self.weigh::<FieldMap>(rep).map_err(HeaderError::trap)
    }

    fn delete(&mut self, fields: Fields, name: String) -> HeaderResult<()> {
        let rep = fields.rep();
        HostFields::delete(&mut self.wasi(), fields, name)?;
        self.weigh::<FieldMap>(rep).map_err(HeaderError::trap)
    }

    fn drop(&mut self, fields: Fields) -> wasmtime::Result<()> {
        self.release(fields.rep());
        HostFields::drop(&mut self.wasi(), fields)
    }
}

impl HostOutgoingRequest for HttpView<'_> {
    pass_on! { HostOutgoingRequest:
        method(request: Request) -> wasmtime::Result<Method>;
        path_with_query(request: Request) -> wasmtime::Result<Option<String>>;
        scheme(request: Request) -> wasmtime::Result<Option<Scheme>>;
        authority(request: Request) -> wasmtime::Result<Option<String>>;
    }

    fn new(&mut self, headers: Fields) -> wasmtime::Result<Request> {
        self.release(headers.rep());
        let request = HostOutgoingRequest::new(&mut self.wasi(), headers)?;
        self.weigh::<types::HostOutgoingRequest>(request.rep())?;
        Ok(request)
    }

    fn body(&mut self, request: Request) -> wasmtime::Result<Once<body::HostOutgoingBody>> {
        let rep = request.rep();
        let body = HostOutgoingRequest::body(&mut self.wasi(), request)?;
        if let Ok(body) = &body {
            self.hold(body.rep(), BODY)?;
            self.weigh::<types::HostOutgoingRequest>(rep)?;
        }
        Ok(body)
    }

    fn set_method(&mut self, request: Request, method: Method) -> wasmtime::Result<Result<(), ()>> {
        let rep = request.rep();
        let set = HostOutgoingRequest::set_method(&mut self.wasi(), request, method)?;
        self.weigh::<types::HostOutgoingRequest>(rep)?;
        Ok(set)
    }

    fn set_path_with_query(&mut self, request: Request, path: Option<String>) -> wasmtime::Result<Result<(), ()>> {
        let rep = request.rep();
        let set = HostOutgoingRequest::set_path_with_query(&mut self.wasi(), request, path)?;
        self.weigh::<types::HostOutgoingRequest>(rep)?;
        Ok(set)
    }

    fn set_scheme(&mut self, request: Request, scheme: Option<Scheme>) -> wasmtime::Result<Result<(), ()>> {
        let rep = request.rep();
        let set = HostOutgoingRequest::set_scheme(&mut self.wasi(), request, scheme)?;
        self.weigh::<types::HostOutgoingRequest>(rep)?;
        Ok(set)
    }

    fn set_authority(&mut self, request: Request, authority: Option<String>) -> wasmtime::Result<Result<(), ()>> {
        let rep = request.rep();
        let set = HostOutgoingRequest::set_authority(&mut self.wasi(), request, authority)?;
        self.weigh::<types::HostOutgoingRequest>(rep)?;
        Ok(set)
    }

    fn headers(&mut self, request: Request) -> wasmtime::Result<Fields> {
        let fields = HostOutgoingRequest::headers(&mut self.wasi(), request)?;
        self.weigh::<FieldMap>(fields.rep())?;
        Ok(fields)
    }

    fn drop(&mut self, request: Request) -> wasmtime::Result<()> {
        self.release(request.rep());
        HostOutgoingRequest::drop(&mut self.wasi(), request)
    }
}

impl outgoing_handler::Host for HttpView<'_> {
    fn handle(&mut self, request: Request, options: Option<Options>) -> HttpResult<Pending> {
        let connection = self.base.memory.charge(CONNECTION).map_err(HttpError::trap)?;
        self.ctx.hooks.charges = self.ctx.kept.take(request.rep()).into_iter().chain([connection]).collect();
        let pending = outgoing_handler::Host::handle(&mut self.wasi(), request, options);
        // What was not sent is not kept.
        self.ctx.hooks.charges.clear();
        let pending = pending?;
        self.hold(pending.rep(), PENDING).map_err(HttpError::trap)?;
        Ok(pending)
    }
}

impl HostOutgoingBody for HttpView<'_> {
    fn write(&mut self, body: RequestBody) -> wasmtime::Result<Once<DynOutputStream>> {
        let stream = HostOutgoingBody::write(&mut self.wasi(), body)?;
        if let Ok(stream) = &stream {
            let memory = self.base.memory.clone();
            charged_output(self.base.table(), stream, memory)?;
        }
        Ok(stream)
    }

    fn finish(&mut self, body: RequestBody, trailers: Option<Fields>) -> HttpResult<()> {
        self.release(body.rep());
        if let Some(trailers) = &trailers {
            self.ctx.kept.keep(trailers.rep());
        }
        HostOutgoingBody::finish(&mut self.wasi(), body, trailers)
    }

    fn drop(&mut self, body: RequestBody) -> wasmtime::Result<()> {
        self.release(body.rep());
        HostOutgoingBody::drop(&mut self.wasi(), body)
    }
}

impl HostFutureIncomingResponse for HttpView<'_> {
    pass_on! { HostFutureIncomingResponse:
        subscribe(pending: Pending) -> wasmtime::Result<Resource<DynPollable>>;
    }

    fn get(&mut self, pending: Pending) -> wasmtime::Result<Option<Result<Result<Answer, ErrorCode>, ()>>> {
        let answer = HostFutureIncomingResponse::get(&mut self.wasi(), pending)?;
        if let Some(Ok(Ok(answer))) = &answer {
            self.weigh::<types::HostIncomingResponse>(answer.rep())?;
        }
        Ok(answer)
    }

    fn drop(&mut self, pending: Pending) -> wasmtime::Result<()> {
        self.release(pending.rep());
        HostFutureIncomingResponse::drop(&mut self.wasi(), pending)
    }
}

impl HostIncomingResponse for HttpView<'_> {
    pass_on! { HostIncomingResponse:
        status(answer: Answer) -> wasmtime::Result<StatusCode>;
        // The body is charged with its connection.
        consume(answer: Answer) -> wasmtime::Result<Once<body::HostIncomingBody>>;
    }

    fn headers(&mut self, answer: Answer) -> wasmtime::Result<Fields> {
        let fields = HostIncomingResponse::headers(&mut self.wasi(), answer)?;
        self.weigh::<FieldMap>(fields.rep())?;
        Ok(fields)
    }

    fn drop(&mut self, answer: Answer) -> wasmtime::Result<()> {
        self.release(answer.rep());
        HostIncomingResponse::drop(&mut self.wasi(), answer)
    }
}

impl HostIncomingBody for HttpView<'_> {
    pass_on! { HostIncomingBody:
        drop(body: AnswerBody) -> wasmtime::Result<()>;
    }

    fn stream(&mut self, body: AnswerBody) -> wasmtime::Result<Once<DynInputStream>> {
        let stream = HostIncomingBody::stream(&mut self.wasi(), body)?;
        if let Ok(stream) = &stream {
            let memory = self.base.memory.clone();
            charged_input(self.base.table(), stream, &memory)?;
        }
        Ok(stream)
    }

    fn finish(&mut self, body: AnswerBody) -> wasmtime::Result<Trailers> {
        let trailers = HostIncomingBody::finish(&mut self.wasi(), body)?;
        self.hold(trailers.rep(), TRAILERS)?;
        Ok(trailers)
    }
}

impl HostFutureTrailers for HttpView<'_> {
    pass_on! { HostFutureTrailers:
        subscribe(trailers: Trailers) -> wasmtime::Result<Resource<DynPollable>>;
    }

    fn get(&mut self, trailers: Trailers) -> wasmtime::Result<Option<Result<Result<Option<Fields>, ErrorCode>, ()>>> {
        let fields = HostFutureTrailers::get(&mut self.wasi(), trailers)?;
        if let Some(Ok(Ok(Some(fields)))) = &fields {
            self.weigh::<FieldMap>(fields.rep())?;
        }
        Ok(fields)
    }

    fn drop(&mut self, trailers: Trailers) -> wasmtime::Result<()> {
        self.release(trailers.rep());
        HostFutureTrailers::drop(&mut self.wasi(), trailers)
    }
}

impl HostRequestOptions for HttpView<'_> {
    pass_on! { HostRequestOptions:
        new() -> wasmtime::Result<Options>;
        connect_timeout(options: Options) -> wasmtime::Result<Option<Duration>>;
        set_connect_timeout(options: Options, duration: Option<Duration>) -> wasmtime::Result<Result<(), ()>>;
        first_byte_timeout(options: Options) -> wasmtime::Result<Option<Duration>>;
        set_first_byte_timeout(options: Options, duration: Option<Duration>) -> wasmtime::Result<Result<(), ()>>;
        between_bytes_timeout(options: Options) -> wasmtime::Result<Option<Duration>>;
        set_between_bytes_timeout(options: Options, duration: Option<Duration>) -> wasmtime::Result<Result<(), ()>>;
        drop(options: Options) -> wasmtime::Result<()>;
    }
}

/// No tool serves requests: there are no incoming ones, and answers to them cannot be made.
fn serves_nothing<T>() -> wasmtime::Result<T> {
    Err(wasmtime::format_err!("a tool serves no HTTP requests"))
}

impl HostIncomingRequest for HttpView<'_> {
    pass_on! { HostIncomingRequest:
        method(request: Resource<types::HostIncomingRequest>) -> wasmtime::Result<Method>;
        path_with_query(request: Resource<types::HostIncomingRequest>) -> wasmtime::Result<Option<String>>;
        scheme(request: Resource<types::HostIncomingRequest>) -> wasmtime::Result<Option<Scheme>>;
        authority(request: Resource<types::HostIncomingRequest>) -> wasmtime::Result<Option<String>>;
        headers(request: Resource<types::HostIncomingRequest>) -> wasmtime::Result<Fields>;
        consume(request: Resource<types::HostIncomingRequest>) -> wasmtime::Result<Once<body::HostIncomingBody>>;
        drop(request: Resource<types::HostIncomingRequest>) -> wasmtime::Result<()>;
    }
}

impl HostOutgoingResponse for HttpView<'_> {
    pass_on! { HostOutgoingResponse:
        status_code(answer: Resource<types::HostOutgoingResponse>) -> wasmtime::Result<StatusCode>;
        set_status_code(
            answer: Resource<types::HostOutgoingResponse>, status: StatusCode) -> wasmtime::Result<Result<(), ()>>;
        headers(answer: Resource<types::HostOutgoingResponse>) -> wasmtime::Result<Fields>;
        body(answer: Resource<types::HostOutgoingResponse>) -> wasmtime::Result<Once<body::HostOutgoingBody>>;
        drop(answer: Resource<types::HostOutgoingResponse>) -> wasmtime::Result<()>;
    }

    fn new(&mut self, _headers: Fields) -> wasmtime::Result<Resource<types::HostOutgoingResponse>> {
        serves_nothing()
    }
}

impl HostResponseOutparam for HttpView<'_> {
    pass_on! { HostResponseOutparam:
        drop(place: Resource<types::HostResponseOutparam>) -> wasmtime::Result<()>;
    }

    fn set(
        &mut self,
        _place: Resource<types::HostResponseOutparam>,
        _answer: Result<Resource<types::HostOutgoingResponse>, ErrorCode>,
    ) -> wasmtime::Result<()> {
        serves_nothing()
    }

    fn send_informational(
        &mut self,
        _place: Resource<types::HostResponseOutparam>,
        _status: u16,
        _headers: Fields,
    ) -> HttpResult<()> {
        serves_nothing().map_err(HttpError::trap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::base::Base;
    use crate::memory::Memory;

    fn borrowed<T>(resource: &Resource<T>) -> Resource<T> {
        Resource::new_borrow(resource.rep())
    }

    #[tokio::test]
    async fn what_a_request_keeps_is_charged_until_it_is_dropped() {
        let memory = Memory::new(4 << 20);
        let (mut ctx, mut base) = (HttpCtx::default(), Base::new(memory.clone()));
        base.table();
        let handles = memory.used();
        let mut view = View { ctx: &mut ctx, base: &mut base };
        let fields = HostFields::new(&mut view).expect("fields");
        HostFields::append(&mut view, borrowed(&fields), "x-a".to_owned(), vec![b'x'; 10_000]).expect("a field");
        assert!(memory.used() > handles + 10_000);
        HostFields::set(&mut view, borrowed(&fields), "x-a".to_owned(), vec![b"y".to_vec()]).expect("a field");
        assert!(memory.used() < handles + 10_000, "what was replaced is not kept");

        let request = HostOutgoingRequest::new(&mut view, fields).expect("a request");
        let method = Method::Other("A".repeat(100_000));
        assert_eq!(HostOutgoingRequest::set_method(&mut view, borrowed(&request), method).expect("set"), Ok(()));
        assert!(memory.used() > handles + 100_000);
        let body = HostOutgoingRequest::body(&mut view, borrowed(&request)).expect("a body").expect("the first");
        let stream = HostOutgoingBody::write(&mut view, borrowed(&body)).expect("a stream").expect("the first");
        let before = memory.used();
        let room = view.base.table().get_mut(&stream).expect("a stream").check_write().expect("room");
        let written = view.base.table().get_mut(&stream).expect("a stream").write(vec![1; room].into());
        assert!(written.is_ok() && memory.used() == before + room);
        view.base.table().delete(stream).expect("a stream");
        assert_eq!(memory.used(), before + room, "it waits to be sent");
        HostOutgoingBody::finish(&mut view, body, None).expect("an end");
        HostOutgoingRequest::drop(&mut view, request).expect("a request");
        assert_eq!(memory.used(), handles, "nothing is left");
    }

    #[test]
    fn what_does_not_fit_ends_the_guest() {
        let memory = Memory::new(600_000);
        let (mut ctx, mut base) = (HttpCtx::default(), Base::new(memory.clone()));
        let mut view = View { ctx: &mut ctx, base: &mut base };
        let mut kept = Vec::new();
        let error = loop {
            match HostFields::from_list(&mut view, vec![("x-a".to_owned(), vec![b'x'; 100_000])]) {
                Ok(fields) => kept.push(fields),
                Err(error) => break error,
            }
        };
        assert_eq!(kept.len(), 3);
        assert!(error.downcast().expect_err("no error of a header").is::<crate::memory::OverMemory>());
    }
}

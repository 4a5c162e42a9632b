-- The tables that the differential suite reads and writes. Nothing here depends on the time of day, and no value comes from
-- chance, so that two servers give the same answer. README.md says how the suite uses it.

create schema api;
create schema second;
create schema hidden;
grant usage on schema api, second to anon, authenticated, service_role;

set search_path = api, public;

-- Places and people: to-one, to-many, several foreign keys between two tables, self reference, one-to-one ------------------

create table countries (
    code text primary key,
    name text not null unique,
    population bigint,
    area numeric(12, 2),
    capital_id int
);
comment on table countries is 'Countries of the example.

They have a longer description as well.';
comment on column countries.population is 'How many people live there';

create table cities (
    id int primary key,
    name text not null,
    country_code text references countries,
    founded date,
    elevation int,
    tags text[] not null default '{}',
    info jsonb not null default '{}'
);

create type mood as enum ('sad', 'ok', 'happy');

create table people (
    id int primary key,
    name text not null,
    email text unique,
    born date,
    mood mood not null default 'ok',
    boss_id int references people,
    home_city_id int references cities,
    work_city_id int references cities,
    scores int[] not null default '{}',
    active boolean not null default true,
    note text
);

create table passports (
    person_id int primary key references people on delete cascade,
    number text not null unique,
    issuer text references countries,
    valid daterange
);

-- Many-to-many with a composite key, and a composite foreign key to the junction --------------------------------------------

create table projects (
    id int primary key,
    title text not null,
    budget numeric(10, 2),
    period daterange,
    owner_id int references people,
    lead_id int,
    closed boolean not null default false,
    constraint projects_lead foreign key (lead_id) references people
);

create table memberships (
    project_id int references projects on delete cascade,
    person_id int references people,
    role text not null default 'member',
    since date not null default '2024-01-01',
    primary key (project_id, person_id)
);

create table tasks (
    id int primary key,
    project_id int references projects on delete cascade,
    parent_id int references tasks,
    assignee_project int,
    assignee_person int,
    title text not null,
    done boolean not null default false,
    due date,
    priority smallint not null default 3,
    estimate interval,
    details jsonb,
    words tsvector generated always as (to_tsvector('english', title)) stored,
    constraint tasks_assignee foreign key (assignee_project, assignee_person) references memberships
);

create table labels (id int primary key, name text not null unique, color text);
create table task_labels (
    task_id int references tasks on delete cascade,
    label_id int references labels,
    primary key (task_id, label_id)
);
-- A second way from tasks to labels makes `labels` ambiguous.
create table task_flags (
    task_id int references tasks on delete cascade,
    label_id int references labels,
    reason text,
    primary key (task_id, label_id)
);

-- Composite keys to one place, and one-to-one by a unique constraint ------------------------------------------------------------

create table districts (country_code text references countries, zip text, name text not null, primary key (country_code, zip));
create table offices (
    id int primary key,
    name text not null,
    country_code text,
    zip text,
    foreign key (country_code, zip) references districts
);
create table office_keys (
    id int primary key,
    office_id int not null unique references offices,
    color text
);

-- A tree, and rows of nothing but a key -----------------------------------------------------------------------------------

create table categories (id int primary key, name text not null, parent_id int references categories);
-- Foreign keys in both directions.
create table teams (id int primary key, name text not null, captain_id int);
create table players (id int primary key, name text not null, team_id int references teams);
alter table teams add constraint teams_captain foreign key (captain_id) references players;
create table single_column (id int primary key);
create table empty_table (id int primary key, name text);
create table no_key (name text, n int);

-- Types --------------------------------------------------------------------------------------------------------------------

create domain positive as int check (value > 0);
create domain label_text as text;
create type point2 as (x int, y int);

create table kinds (
    id int primary key,
    a_bool boolean,
    a_small smallint,
    a_big bigint,
    a_real real,
    a_double double precision,
    a_numeric numeric(20, 5),
    a_char char(4),
    a_varchar varchar(10),
    a_text text,
    a_bytea bytea,
    a_uuid uuid,
    a_date date,
    a_time time,
    a_timestamp timestamp,
    a_timestamptz timestamptz,
    an_interval interval,
    a_json json,
    a_jsonb jsonb,
    some_ints int[],
    some_texts text[],
    a_grid int[][],
    an_intrange int4range,
    a_numrange numrange,
    a_tsrange tsrange,
    a_multirange int4multirange,
    a_mood mood,
    some_moods mood[],
    a_positive positive,
    a_label label_text,
    a_point point2,
    an_inet inet,
    a_cidr cidr,
    a_macaddr macaddr,
    a_money money,
    a_bit bit(4),
    a_tsvector tsvector
);

-- A domain with representations: shown and read as text, stored as a number.
create domain hexcolor as int;
create function hexcolor_json(hexcolor) returns json language sql immutable as $$ select to_json('#' || lpad(to_hex($1), 6, '0')) $$;
create function hexcolor_read(text) returns hexcolor language sql immutable as $$ select (('x' || lpad(trim(leading '#' from $1), 8, '0'))::bit(32)::int)::hexcolor $$;
create function hexcolor_read(json) returns hexcolor language sql immutable as $$ select hexcolor_read($1 #>> '{}') $$;
create cast (hexcolor as json) with function hexcolor_json(hexcolor) as implicit;
create cast (json as hexcolor) with function hexcolor_read(json) as implicit;
create cast (text as hexcolor) with function hexcolor_read(text) as implicit;
create table paints (id int primary key, name text not null, color hexcolor);

-- Writes: defaults, identity, generated columns, unique keys, a table that is written by its trigger --------------------------

create table counters (name text primary key, n int not null default 7, note text default 'none');
create table prices (
    item text,
    currency text,
    amount numeric(10, 2) not null check (amount >= 0),
    sku text unique,
    primary key (item, currency)
);
create table invoices (
    id int generated always as identity primary key,
    net numeric(10, 2) not null,
    tax numeric(10, 2) not null default 0,
    gross numeric(10, 2) generated always as (net + tax) stored
);
create table tickets (id int generated by default as identity primary key, title text not null default 'untitled', seat int unique);
create table serials (id serial primary key, name text);
create table doubles (n int primary key, twice int);
create function double_it() returns trigger language plpgsql as $$ begin new.twice := new.n * 2; return new; end $$;
create trigger double_it before insert or update on doubles for each row execute function double_it();
create table refused (id int primary key, name text);
create function refuse() returns trigger language plpgsql as $$
begin
    if new.name = 'teapot' then
        raise sqlstate 'PT418' using message = 'I am a teapot', detail = 'short', hint = 'and stout';
    end if;
    raise exception 'no row %', new.id using detail = 'the trigger says so', hint = 'write elsewhere', errcode = 'P0001';
end $$;
create trigger refuse before insert on refused for each row execute function refuse();

-- Partitions -------------------------------------------------------------------------------------------------------------

create table events (id int, year int, title text, person_id int references people, primary key (id, year)) partition by list (year);
create table events_2023 partition of events for values in (2023);
create table events_2024 partition of events for values in (2024);

-- Rights ------------------------------------------------------------------------------------------------------------------

create table diary (
    id int primary key,
    owner_id uuid not null default auth.uid(),
    title text not null,
    public boolean not null default false
);
create table diary_pages (
    id int primary key,
    diary_id int not null references diary on delete cascade,
    owner_id uuid not null default auth.uid(),
    body text
);
alter table diary enable row level security;
alter table diary_pages enable row level security;
create policy own on diary to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create policy published on diary for select to anon, authenticated using (public);
create policy own on diary_pages to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
create table closed_table (id int primary key, secret text);
create table written_only (id int primary key, message text);
create table some_columns (id int primary key, shown text, kept text);
create table hidden.secrets (id int primary key, name text);

-- Names that need quotes ----------------------------------------------------------------------------------------------------

create table "odd table" (
    "a column" int primary key,
    "quo""te" text,
    "dot.col" text,
    "comma,col" text,
    "(paren)" text,
    "ünïcode" text,
    "select" text,
    "order" int,
    "Upper" text,
    "back\slash" text,
    "a:b" text,
    "arrow->x" jsonb
);
create table "odd, child" ("the id" int primary key, "odd parent" int references "odd table", "text" text);
create table "select" (id int primary key, "from" text, "where" int references cities);
create table "Снег" ("имя" text primary key, "число" int);
create table "UpperCase" ("Id" int primary key, "Name" text);

-- Views -------------------------------------------------------------------------------------------------------------------

create view active_people as select id, name, email, boss_id, home_city_id, work_city_id from people where active;
create view person_cards as
    select p.id as person, p.name as person_name, c.name as city, c.id as city_id from people p join cities c on c.id = p.home_city_id;
create view person_cards_again as select person, person_name, city_id from person_cards;
create view project_members as select project_id, person_id, role from memberships;
create view project_totals as
    select p.id as project_id, p.title, count(t.id) as tasks, count(t.id) filter (where t.done) as done
    from projects p left join tasks t on t.project_id = p.id group by p.id, p.title;
create view all_names as select name from cities union select name from countries;
create view open_tasks as select id, project_id, title, priority from tasks where not done with check option;
create materialized view country_sizes as select code, name, population / nullif(area, 0) as density from countries;
create view counters_by_trigger as select name, n from counters;
create function counters_by_trigger() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then insert into api.counters (name, n) values (new.name, coalesce(new.n, 0)); return new; end if;
    if tg_op = 'UPDATE' then update api.counters set n = new.n where name = old.name; return new; end if;
    delete from api.counters where name = old.name;
    return old;
end $$;
create trigger counters_by_trigger instead of insert or update or delete on counters_by_trigger
    for each row execute function counters_by_trigger();

-- Computed columns and computed relationships ---------------------------------------------------------------------------------

create function shout(people) returns text language sql stable as $$ select upper($1.name) $$;
create function age_in_2024(people) returns int language sql stable as $$ select 2024 - extract(year from $1.born)::int $$;
create function is_big(cities) returns boolean language sql stable as $$ select coalesce(($1.info ->> 'size') = 'big', false) $$;
create function search_text(tasks) returns tsvector language sql stable as $$ select to_tsvector('english', $1.title) $$;
create function capital(countries) returns setof cities rows 1 language sql stable as $$ select * from api.cities where id = $1.capital_id $$;
create function high_cities(countries) returns setof cities language sql stable as $$ select * from api.cities where country_code = $1.code and elevation > 100 $$;
create function reports(people) returns setof people language sql stable as $$ select * from api.people where boss_id = $1.id $$;
create function boss(people) returns setof people rows 1 language sql stable as $$ select * from api.people where id = $1.boss_id $$;
create function passport_of(active_people) returns setof passports rows 1 language sql stable as $$ select * from api.passports where person_id = $1.id $$;

-- Functions -----------------------------------------------------------------------------------------------------------------

create function add(a int, b int) returns int language sql immutable as $$ select a + b $$;
create function add_with_default(a int, b int default 10) returns int language sql immutable as $$ select a + b $$;
create function hello(name text) returns text language sql immutable as $$ select 'Hello, ' || name || '!' $$;
create function nothing() returns text language sql immutable as $$ select null::text $$;
create function answer() returns int language sql immutable as $$ select 42 $$;
create function pi_ish() returns numeric language sql immutable as $$ select 3.14 $$;
create function truth() returns boolean language sql stable as $$ select true $$;
create function quiet() returns void language sql stable as $$ select null::void $$;
create function loud() returns void language plpgsql as $$ begin end $$;
create function today() returns date language sql immutable as $$ select date '2024-02-29' $$;
create function some_uuid() returns uuid language sql immutable as $$ select '11111111-2222-3333-4444-555555555555'::uuid $$;
create function a_mood() returns mood language sql immutable as $$ select 'happy'::mood $$;
create function some_json() returns json language sql immutable as $$ select '{"b": 1,  "a": [1, 2]}'::json $$;
create function some_jsonb() returns jsonb language sql immutable as $$ select '{"b": 1,  "a": [1, 2]}'::jsonb $$;
create function some_ints() returns int[] language sql immutable as $$ select array[1, 2, 3] $$;
create function set_of_ints(n int) returns setof int language sql immutable as $$ select g from generate_series(1, n) g $$;
create function set_of_texts() returns setof text language sql immutable as $$ values ('a'), ('b,c'), ('"d"') $$;
create function set_of_jsons() returns setof json language sql immutable as $$ values ('{"a": 1}'::json), ('[2]') $$;
create function one_point() returns point2 language sql immutable as $$ select row(1, 2)::point2 $$;
create function some_points() returns setof point2 language sql immutable as $$ values (1, 2), (3, 4) $$;
create function no_point() returns point2 language sql immutable as $$ select null::point2 $$;
create function squares(n int) returns table (i int, square int) language sql immutable as $$ select g, g * g from generate_series(1, n) g $$;
create function out_args(a int, out double int, out half numeric) language sql immutable as $$ select a * 2, a / 2.0 $$;
create function out_one(a int, out b text) language sql immutable as $$ select 'b' || a $$;
create function inout_arg(inout n int) language sql immutable as $$ select n + 1 $$;
create function any_record() returns record language sql immutable as $$ select 1 as a, 'x'::text as b $$;
create function some_records() returns setof record language sql immutable as $$ values (1, 'x'::text), (2, 'y') $$;
create function all_people() returns setof people language sql stable as $$ select * from api.people $$;
create function one_person(person_id int) returns people language sql stable as $$ select * from api.people where id = person_id $$;
create function maybe_person(person_id int) returns setof people rows 1 language sql stable as $$ select * from api.people where id = person_id $$;
create function people_in(city text) returns setof people language sql stable as $$
    select p.* from api.people p join api.cities c on c.id = p.home_city_id where c.name = city $$;
create function all_tasks() returns setof tasks language sql stable as $$ select * from api.tasks $$;
create function totals() returns setof project_totals language sql stable as $$ select * from api.project_totals $$;
create function join_words(variadic words text[]) returns text language sql immutable as $$ select array_to_string(words, '-') $$;
create function sum_of(base int, variadic others int[] default '{}') returns int language sql immutable as $$ select base + coalesce((select sum(o)::int from unnest(others) o), 0) $$;
create function takes_array(ids int[]) returns int language sql immutable as $$ select coalesce(array_length(ids, 1), 0) $$;
create function takes_jsonb(doc jsonb) returns jsonb language sql immutable as $$ select doc $$;
create function takes_json_and_int(doc json, n int) returns json language sql immutable as $$ select json_build_object('doc', doc, 'n', n) $$;
create function takes_mood(m mood) returns text language sql immutable as $$ select 'is ' || m $$;
create function takes_date(d date) returns text language sql immutable as $$ select to_char(d, 'YYYY/MM/DD') $$;
create function takes_point(p point2) returns int language sql immutable as $$ select p.x + p.y $$;
create function takes_char(c char) returns text language sql immutable as $$ select '<' || c || '>' $$;
create function takes_varchar(v varchar(3)) returns text language sql immutable as $$ select v::text $$;
create function takes_uuid(id uuid) returns text language sql immutable as $$ select id::text $$;
create function takes_bool(b boolean) returns text language sql immutable as $$ select case when b then 'yes' else 'no' end $$;
create function takes_range(r int4range) returns int language sql immutable as $$ select upper(r) $$;
create function takes_many_optional(a int default 1, b int default 2, c int default 3) returns int[] language sql immutable as $$ select array[a, b, c] $$;
create function "odd function"("an arg" int, "Upper" text default 'u') returns text language sql immutable as $$ select "an arg" || "Upper" $$;
create function select_limit("select" int, "limit" int default 5) returns int language sql immutable as $$ select "select" + "limit" $$;

create function over_load() returns text language sql immutable as $$ select 'none' $$;
create function over_load(a int) returns text language sql immutable as $$ select 'a' $$;
create function over_load(a int, b int) returns text language sql immutable as $$ select 'ab' $$;
create function over_load(a int, c text) returns text language sql immutable as $$ select 'ac' $$;
create function over_types(x int) returns text language sql immutable as $$ select 'int' $$;
create function over_types(x text) returns text language sql immutable as $$ select 'text' $$;
-- Made in another order than the one in which PostgREST names them.
create function over_order(x text, y int) returns text language sql immutable as $$ select 'text, int' $$;
create function over_order(x int, y text) returns text language sql immutable as $$ select 'int, text' $$;
create function over_order(x int, y int) returns text language sql immutable as $$ select 'int, int' $$;
create function over_described(x text) returns text language sql immutable as $$ select 'text' $$;
create function over_described(x int) returns text language sql immutable as $$ select 'int' $$;
comment on function over_described(int) is 'It has a description.';
create function over_json(json) returns text language sql immutable as $$ select 'unnamed' $$;
create function over_json(a int) returns text language sql immutable as $$ select 'named' $$;

create function unnamed_json(json) returns json language sql immutable as $$ select $1 $$;
create function unnamed_jsonb(jsonb) returns jsonb language sql immutable as $$ select $1 -> 'a' $$;
create function unnamed_text(text) returns text language sql immutable as $$ select 'got ' || $1 $$;
create function unnamed_bytea(bytea) returns int language sql immutable as $$ select length($1) $$;
create function unnamed_int(int) returns int language sql immutable as $$ select $1 $$;

create function some_bytes() returns bytea language sql immutable as $$ select '\x00ff7a'::bytea $$;
create domain "text/html" as text;
create domain "image/png" as bytea;
create domain "*/*" as bytea;
create function a_page() returns "text/html" language sql immutable as $$ select '<p>hi</p>'::"text/html" $$;
create function a_picture() returns "image/png" language sql immutable as $$ select '\x89504e47'::"image/png" $$;

create function insert_counter(name text, n int) returns counters language sql as $$ insert into api.counters (name, n) values ($1, $2) returning * $$;
create function insert_counters(n int) returns setof counters language sql as $$
    insert into api.counters (name, n) select 'new ' || g, g from generate_series(1, $1) g returning * $$;
create function insert_stable(name text) returns text language plpgsql stable as $$
begin insert into api.counters (name) values (name); return 'done'; end $$;
create function remove_counters() returns int language sql as $$ with gone as (delete from api.counters returning 1) select count(*)::int from gone $$;

-- Errors, headers and status
create function fail_with(code text, message text default 'failed') returns void language plpgsql as $$
begin raise exception using errcode = code, message = fail_with.message, detail = 'a detail', hint = 'a hint'; end $$;
create function fail_plain() returns int language plpgsql stable as $$ begin raise exception 'plain failure'; end $$;
create function fail_pgrst(message text, detail text) returns void language plpgsql as $$
begin raise sqlstate 'PGRST' using message = fail_pgrst.message, detail = fail_pgrst.detail; end $$;
create function divide(a int, b int) returns int language sql immutable as $$ select a / b $$;
create function set_status(status text) returns text language plpgsql as $$
begin perform set_config('response.status', status, true); return 'set'; end $$;
create function set_headers(headers text) returns text language plpgsql as $$
begin perform set_config('response.headers', headers, true); return 'set'; end $$;
create function set_headers_stable(headers text) returns text language plpgsql stable as $$
begin perform set_config('response.headers', headers, true); return 'set'; end $$;
create function set_both() returns void language plpgsql as $$
begin
    perform set_config('response.status', '202', true);
    perform set_config('response.headers', '[{"x-one": "1"}, {"x-two": "2"}, {"cache-control": "no-store"}]', true);
end $$;

-- What a function knows of its request
create function request_method() returns text language sql stable as $$ select current_setting('request.method', true) $$;
create function request_path() returns text language sql stable as $$ select current_setting('request.path', true) $$;
create function request_header(name text) returns text language sql stable as $$ select current_setting('request.headers', true)::json ->> name $$;
create function request_cookie(name text) returns text language sql stable as $$ select current_setting('request.cookies', true)::json ->> name $$;
create function request_claim(name text) returns text language sql stable as $$ select current_setting('request.jwt.claims', true)::json ->> name $$;
create function who_am_i() returns json language sql stable as $$ select json_build_object('role', current_user, 'uid', auth.uid(), 'claimed', auth.role()) $$;
create function setting(name text) returns text language sql stable as $$ select current_setting(name, true) $$;
create function read_only() returns text language sql stable as $$ select current_setting('transaction_read_only') $$;
create function read_only_volatile() returns text language sql volatile as $$ select current_setting('transaction_read_only') $$;
create function search_path() returns text language sql stable as $$ select current_setting('search_path') $$;
create function set_in_function() returns text language sql stable set datestyle = 'German' as $$ select date '2024-02-29'::text $$;
create function closed_function() returns int language sql as $$ select 1 $$;
create function definer() returns bigint language sql stable security definer set search_path = '' as $$ select count(*) from api.closed_table $$;
create procedure a_procedure(a int) language sql as $$ select 1 $$;

create function check_request() returns void language plpgsql as $$
begin
    if current_setting('request.headers', true)::json ->> 'x-forbid' is not null then
        raise sqlstate 'PT403' using message = 'forbidden by the check', hint = 'leave the header out';
    end if;
    perform set_config('app.checked', current_setting('request.method', true) || ' ' || current_setting('request.path', true), true);
    perform set_config('response.headers', '[{"x-checked": "yes"}]', true);
end $$;

-- Domains with casts: answers show, bodies and conditions say values in another way than they are stored -----------------------

-- In all three ways. Two functions have one name.
create domain part_key as int;
create function part_key_shown(part_key) returns json language sql immutable as $$ select to_json('K-' || $1) $$;
create function part_key_read(text) returns part_key language sql immutable as $$ select replace($1, 'K-', '')::int $$;
create function part_key_read(json) returns part_key language sql immutable as $$ select api.part_key_read($1 #>> '{}') $$;
create cast (part_key as json) with function part_key_shown(part_key) as implicit;
create cast (text as part_key) with function part_key_read(text) as implicit;
create cast (json as part_key) with function part_key_read(json) as implicit;
-- Not in conditions.
create domain cents as bigint;
create function cents_shown(cents) returns json language sql immutable as $$ select to_json(($1 / 100.0)::numeric(10, 2)) $$;
create function cents_read(json) returns cents language sql immutable as $$ select (($1 #>> '{}')::numeric * 100)::bigint $$;
create cast (cents as json) with function cents_shown(cents) as implicit;
create cast (json as cents) with function cents_read(json) as implicit;
-- In conditions alone.
create domain level as smallint;
create function level_read(text) returns level language sql immutable as $$ select array_position(array['low', 'middle', 'high'], $1)::smallint $$;
create cast (text as level) with function level_read(text) as implicit;
-- In answers alone.
create domain masked as text;
create function masked_shown(masked) returns json language sql immutable as $$ select to_json(left($1, 1) || '…') $$;
create cast (masked as json) with function masked_shown(masked) as implicit;
-- Arrays and JSON.
create domain word_list as text[];
create function word_list_shown(word_list) returns json language sql immutable as $$ select to_json(array_to_string($1, ' ')) $$;
create function word_list_read(text) returns word_list language sql immutable as $$ select string_to_array($1, ' ') $$;
create function word_list_read(json) returns word_list language sql immutable as $$ select string_to_array($1 #>> '{}', ' ') $$;
create cast (word_list as json) with function word_list_shown(word_list) as implicit;
create cast (text as word_list) with function word_list_read(text) as implicit;
create cast (json as word_list) with function word_list_read(json) as implicit;
create domain spot as jsonb;
create function spot_shown(spot) returns json language sql immutable as $$ select json_build_object('at', ($1 ->> 'x') || '/' || ($1 ->> 'y')) $$;
create cast (spot as json) with function spot_shown(spot) as implicit;
-- Casts that count for nothing: one has to be asked for, one is to another type, and one nobody may call.
create domain plain_code as text;
create function plain_code_shown(plain_code) returns json language sql immutable as $$ select to_json('explicit ' || $1) $$;
create function plain_code_shown_b(plain_code) returns jsonb language sql immutable as $$ select to_jsonb('jsonb ' || $1) $$;
create cast (plain_code as json) with function plain_code_shown(plain_code) as assignment;
create cast (plain_code as jsonb) with function plain_code_shown_b(plain_code) as implicit;
create domain sealed_code as text;
create function sealed_code_shown(sealed_code) returns json language sql immutable as $$ select to_json('sealed ' || $1) $$;
create cast (sealed_code as json) with function sealed_code_shown(sealed_code) as implicit;
revoke execute on function sealed_code_shown(sealed_code) from public;

-- One that some roles may call.
create domain guarded_code as text;
create function guarded_code_shown(guarded_code) returns json language sql immutable as $$ select to_json('guarded ' || $1) $$;
create cast (guarded_code as json) with function guarded_code_shown(guarded_code) as implicit;
revoke execute on function guarded_code_shown(guarded_code) from public;
grant execute on function guarded_code_shown(guarded_code) to service_role;
create table guards (id int primary key, code guarded_code);

create table parts (
    key part_key primary key,
    name text not null,
    price cents not null default 250,
    level level,
    owner masked,
    words word_list,
    spot spot,
    tint hexcolor,
    plain plain_code,
    sealed sealed_code,
    parent part_key references parts
);
create table part_orders (id int primary key, part part_key references parts, amount cents, note text);
create view part_cards as select key, name, tint as shade, price from parts;
create function dearer(parts) returns cents language sql stable as $$ select ($1.price * 2)::bigint $$;
create function same_level(parts) returns setof parts language sql stable as $$ select * from api.parts p where p.level = $1.level and p.key <> $1.key $$;
create function all_parts() returns setof parts language sql stable as $$ select * from api.parts $$;
create function one_part(n int) returns parts language sql stable as $$ select * from api.parts where key = n $$;
create function part_columns() returns table (key part_key, tint hexcolor) language sql stable as $$ select key, tint from api.parts $$;
create function next_key(after part_key) returns part_key language sql immutable as $$ select (after + 1)::part_key $$;
create function add_part(name text) returns setof parts language sql as $$ insert into api.parts (key, name) values (90, name) returning * $$;

-- Domains that name media types: functions and aggregates that make them ----------------------------------------------------------

create domain "text/plain" as text;
create domain "application/vnd.blob" as bytea;
create domain "application/vnd.poems" as text;
create domain "application/vnd.poems+raw" as bytea;
create domain "application/vnd.rows" as text;
create domain "text/csv" as text;
create domain "application/json" as json;

create function plain_text() returns "text/plain" language sql immutable as $$ select 'just text'::"text/plain" $$;
create function plain_of(word text) returns "text/plain" language sql immutable as $$ select ('word: ' || word)::"text/plain" $$;
create function no_text() returns "text/plain" language sql immutable as $$ select null::"text/plain" $$;
create function plain_texts() returns setof "text/plain" language sql immutable as $$ values ('a'::"text/plain"), ('b') $$;
create function a_blob() returns "application/vnd.blob" language sql immutable as $$ select '\x00ff00410a'::"application/vnd.blob" $$;
create function no_blob() returns "application/vnd.blob" language sql immutable as $$ select null::"application/vnd.blob" $$;
create function own_json() returns "application/json" language sql immutable as $$ select '{"own":  true}'::"application/json" $$;
create function write_text(name text) returns "text/plain" language sql as $$
    insert into api.counters (name) values (name) returning ('wrote ' || name)::"text/plain" $$;
create function page_with_headers() returns "text/html" language plpgsql as $$
begin
    perform set_config('response.headers', '[{"x-a": "page"}, {"Content-Type": "text/html; charset=utf-8"}]', true);
    perform set_config('response.status', '203', true);
    return '<p>headers</p>';
end $$;
create function any_media() returns "*/*" language sql stable as $$ select convert_to('any', 'utf8')::"*/*" $$;
create function some_media() returns "*/*" language plpgsql stable as $$
declare
    accepted text := current_setting('request.headers', true)::json ->> 'accept';
begin
    if accepted = 'app/one' then
        perform set_config('response.headers', '[{"Content-Type": "app/one"}]', true);
        return convert_to('one', 'utf8');
    elsif accepted = 'app/two' then
        perform set_config('response.headers', '[{"Content-Type": "app/two"}]', true);
        return '\x0002';
    end if;
    raise sqlstate 'PT406' using message = 'neither one nor two';
end $$;

create table poems (id int primary key, title text not null, verses int not null);
create view poem_pages as select id, title from poems;
create function all_poems() returns setof poems language sql stable as $$ select * from api.poems $$;
create function one_poem(n int) returns poems language sql stable as $$ select * from api.poems where id = n $$;
create function poem_titles() returns setof text language sql stable as $$ select title from api.poems order by id $$;
create function poem_count() returns int language sql stable as $$ select count(*)::int from api.poems $$;

create function poems_step(state "application/vnd.poems", next poems) returns "application/vnd.poems" language sql immutable as $$
    select (state || next.title || ': ' || next.verses || E'\n')::"application/vnd.poems" $$;
create aggregate as_poems(poems) (stype = "application/vnd.poems", sfunc = poems_step, initcond = '');
create function poems_raw_step(state "application/vnd.poems+raw", next poems) returns "application/vnd.poems+raw" language sql immutable as $$
    select (coalesce(state, '') || int4send(next.verses))::"application/vnd.poems+raw" $$;
create aggregate as_raw_poems(poems) (stype = "application/vnd.poems+raw", sfunc = poems_raw_step);
create function poems_csv_step(state "text/csv", next poems) returns "text/csv" language sql immutable as $$
    select (state || next.id || ';' || next.title || E'\n')::"text/csv" $$;
create function poems_csv_final(state "text/csv") returns "text/csv" language plpgsql as $$
begin
    perform set_config('response.headers', '[{"x-b": "poems.csv"}]', true);
    return 'id;title' || E'\n' || state;
end $$;
create aggregate as_poems_csv(poems) (stype = "text/csv", sfunc = poems_csv_step, finalfunc = poems_csv_final, initcond = '');
create function titles_json_step(state "application/json", next poem_pages) returns "application/json" language sql immutable as $$
    select json_build_object('last', next.title)::"application/json" $$;
create aggregate as_titles(poem_pages) (stype = "application/json", sfunc = titles_json_step);
create function rows_step(state "application/vnd.rows", next anyelement) returns "application/vnd.rows" language sql immutable as $$
    select (state || next::text || E'\n')::"application/vnd.rows" $$;
create aggregate as_rows(anyelement) (stype = "application/vnd.rows", sfunc = rows_step, initcond = '');

create table numbers (n int primary key);
create function numbers_step(state "*/*", next numbers) returns "*/*" language sql immutable as $$
    select (state || convert_to(next.n || E'\n', 'utf8'))::"*/*" $$;
create function numbers_final(state "*/*") returns "*/*" language plpgsql as $$
begin
    if current_setting('request.headers', true)::json ->> 'accept' = 'magic/number' then
        perform set_config('response.headers', '[{"Content-Type": "magic/number"}]', true);
    end if;
    return state;
end $$;
create aggregate as_numbers(numbers) (stype = "*/*", sfunc = numbers_step, finalfunc = numbers_final, initcond = '');

-- The second schema, with names that the first one has as well ---------------------------------------------------------------

create table second.cities (id int primary key, title text not null);
create table second.shops (id int primary key, name text not null, city_id int references second.cities, country text references api.countries);
create function second.hello(name text) returns text language sql immutable as $$ select 'Second hello, ' || name $$;
create function second.only_here() returns text language sql immutable as $$ select 'second' $$;
create function second.which_path() returns text language sql stable as $$ select current_setting('search_path') $$;

-- Rows --------------------------------------------------------------------------------------------------------------------

insert into countries (code, name, population, area) values
    ('FR', 'France', 68000000, 643801.00), ('DE', 'Germany', 84000000, 357592.00), ('IT', 'Italy', 59000000, 301340.00),
    ('MC', 'Monaco', 39000, 2.02), ('ZZ', 'Nowhere', null, null);
insert into cities values
    (1, 'Paris', 'FR', '0250-01-01', 35, '{capital,river}', '{"size": "big", "river": {"name": "Seine", "length": 777}, "lines": [1, 2, 14]}'),
    (2, 'Lyon', 'FR', '0043-01-01', 173, '{river}', '{"size": "middle", "river": {"name": "Rhône", "length": 813}}'),
    (3, 'Berlin', 'DE', '1237-10-28', 34, '{capital}', '{"size": "big", "lines": ["U1", "U2"]}'),
    (4, 'Munich', 'DE', '1158-06-14', 520, '{}', '{"size": "big", "twin": null}'),
    (5, 'Rome', 'IT', null, 21, '{capital,"old town"}', '{"size": "big", "hills": 7}'),
    (6, 'Monaco', 'MC', '1215-06-10', 7, '{"sea,side",casino}', '{}'),
    (7, 'Atlantis', null, null, null, '{}', '{"size": "unknown"}');
update countries set capital_id = 1 where code = 'FR';
update countries set capital_id = 3 where code = 'DE';
update countries set capital_id = 5 where code = 'IT';
update countries set capital_id = 6 where code = 'MC';
insert into people values
    (1, 'Ada', 'ada@example.com', '1975-12-10', 'happy', null, 1, 2, '{5,7,9}', true, null),
    (2, 'Béla', 'bela@example.com', '1981-03-25', 'ok', 1, 1, 1, '{3}', true, 'plays, the piano'),
    (3, 'Clara', 'clara@example.com', '1990-09-13', 'sad', 1, 3, 3, '{}', true, 'a "quoted" word'),
    (4, 'Dmitri', null, '1960-09-25', 'ok', 2, 4, 3, '{1,2,3}', false, ''),
    (5, 'Edith', 'edith@example.com', '1995-12-19', 'happy', 2, 2, null, '{9,9}', true, 'null'),
    (6, 'Fela', null, null, 'ok', 3, null, 5, '{}', false, '100%_sure (really)'),
    (7, 'O''Neil', 'neil@example.com', '2000-02-29', 'sad', null, null, null, '{0}', true, E'two\nlines\ttab');
insert into passports values
    (1, 'P-100', 'FR', '[2020-01-01,2030-01-01)'), (2, 'P-200', 'FR', '[2022-06-01,)'), (3, 'P-300', 'DE', null), (5, 'P-500', null, 'empty');
insert into projects values
    (1, 'Bridge', 12000.50, '[2023-01-01,2024-01-01)', 1, 2, false), (2, 'Tower', 800.00, '[2024-03-01,2024-06-01)', 1, 3, false),
    (3, 'Garden', null, null, 3, null, true), (4, 'Empty plot', 0, '(,2020-01-01)', null, null, false);
insert into memberships values
    (1, 1, 'chief', '2023-01-01'), (1, 2, 'member', '2023-02-01'), (1, 3, 'guest', '2023-03-01'),
    (2, 1, 'member', '2024-03-01'), (2, 4, 'member', '2024-03-02'), (3, 3, 'chief', '2022-01-01');
insert into tasks (id, project_id, parent_id, assignee_project, assignee_person, title, done, due, priority, estimate, details) values
    (1, 1, null, 1, 1, 'Draw the plan', true, '2023-02-01', 1, '3 days', '{"pages": 4, "tags": ["draft"]}'),
    (2, 1, 1, 1, 2, 'Check the plan', true, '2023-03-01', 2, '02:30:00', null),
    (3, 1, null, 1, 2, 'Build the bridge', false, '2023-12-01', 1, '3 mons', '{"workers": [{"n": 3}, {"n": 5}]}'),
    (4, 2, null, 2, 4, 'Raise the fat cat statue', false, '2024-05-01', 3, null, '{"note": "cats and dogs"}'),
    (5, 2, 4, null, null, 'Paint the cat', false, null, 5, '1 day', '{"color": "black", "done": false}'),
    (6, 3, null, 3, 3, 'Plant trees', true, '2022-04-01', 3, null, 'null'),
    (7, 3, null, null, null, 'Water the trees daily', false, '2025-01-01', 4, '00:10:00', '[]'),
    (8, null, null, null, null, 'Rest', false, null, 3, null, null);
insert into labels values (1, 'urgent', 'red'), (2, 'later', 'blue'), (3, 'outside', null);
insert into task_labels values (1, 1), (1, 3), (3, 1), (3, 3), (4, 2), (7, 3);
insert into task_flags values (1, 2, 'old'), (4, 1, 'late');
insert into districts values ('FR', '75001', 'Louvre'), ('FR', '69001', 'Terreaux'), ('DE', '10115', 'Mitte');
insert into offices values (1, 'Head', 'FR', '75001'), (2, 'Branch', 'FR', '75001'), (3, 'East', 'DE', '10115'), (4, 'Nowhere', null, null);
insert into office_keys values (1, 1, 'gold'), (2, 3, 'steel');
insert into categories values (1, 'all', null), (2, 'food', 1), (3, 'fruit', 2), (4, 'tools', 1), (5, 'loose', null);
insert into teams values (1, 'Reds', null), (2, 'Blues', null);
insert into players values (1, 'Gil', 1), (2, 'Hana', 1), (3, 'Ivo', 2), (4, 'Jun', null);
update teams set captain_id = 2 where id = 1;
insert into single_column values (1), (2), (3);
insert into no_key values ('a', 1), ('a', 1), ('b', null);
insert into kinds values
    (1, true, -5, 9007199254740993, 1.5, 0.1, 12345.67890, 'ab', 'varchar', 'text with "quotes" and \ backslash', '\xdeadbeef',
     'c0ffee00-0000-4000-8000-000000000001', '2024-02-29', '13:37:00', '2024-02-29 13:37:00.123456', '2024-02-29 13:37:00+02',
     '1 year 2 mons 3 days 04:05:06', '{"a":  1, "a": 2}', '{"a":  1, "b": [true, null, "x"]}', '{1,2,NULL}', '{"a b","c,d",NULL,"e\"f"}',
     '{{1,2},{3,4}}', '[1,10)', '(0.5,2.5]', '[2024-01-01 00:00,2024-01-02 00:00)', '{[1,3),[5,7)}', 'happy', '{sad,happy}', 3, 'label',
     '(1,2)', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', 12.34, b'1010', to_tsvector('english', 'the quick brown foxes')),
    (2, false, 32767, -1, 'Infinity', 'NaN', -0.00001, '', '', '', '', null, '0001-01-01', '00:00:00', 'infinity', '-infinity', '-00:00:01', 'null', '[]',
     '{}', '{}', '{}', 'empty', '(,)', null, '{}', 'sad', '{}', 1, '', '(,)', '::1', '::/0', null, -1, b'0000', ''),
    (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
     null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into paints values (1, 'red', 16711680), (2, 'sea', 3374268), (3, 'none', null);
insert into parts (key, name, price, level, owner, words, spot, tint, plain, sealed, parent) values
    (1, 'wheel', 1250, 1, 'alice', '{round,black}', '{"x": 1, "y": 2}', 255, 'p1', 's1', null),
    (2, 'frame', 99900, 3, 'bob', '{}', '{"x": 3, "y": 4}', 16711680, 'p2', 's2', null),
    (3, 'spoke', 75, 1, null, null, null, null, null, null, 1),
    (4, 'nut', 5, 2, 'carol', '{small}', '{"x": 0}', 3374268, 'p4', 's4', 1);
insert into part_orders values (1, 1, 2500, 'two wheels'), (2, 2, 99900, 'one frame'), (3, 4, 500, null), (4, null, null, 'nothing');
insert into guards values (1, 'g1');
insert into poems values (1, 'Autumn', 12), (2, 'The "Sea"', 4), (3, 'Ünder', 0);
insert into numbers values (1), (2), (3);
insert into counters values ('one', 1, 'first'), ('two', 2, null), ('three', 3, 'third');
insert into prices values ('tea', 'EUR', 2.50, 'T-1'), ('tea', 'USD', 2.75, 'T-2'), ('cake', 'EUR', 4.00, 'C-1'), ('pie', 'EUR', 3.00, null);
insert into invoices (net, tax) values (100, 20), (50, 0);
insert into tickets (title, seat) values ('first', 10), ('second', 20);
insert into serials (name) values ('s1');
insert into doubles (n) values (1), (2);
insert into events values (1, 2023, 'opening', 1), (2, 2023, 'closing', 2), (1, 2024, 'again', 1);
insert into diary (id, owner_id, title, public) values
    (1, 'a11ce000-0000-4000-8000-000000000001', 'Alice at home', false), (2, 'a11ce000-0000-4000-8000-000000000001', 'Alice in town', true),
    (3, 'b0b00000-0000-4000-8000-000000000002', 'Bob at home', false), (4, 'b0b00000-0000-4000-8000-000000000002', 'Bob in town', true);
insert into diary_pages (id, diary_id, owner_id, body) values
    (1, 1, 'a11ce000-0000-4000-8000-000000000001', 'dear diary'), (2, 2, 'a11ce000-0000-4000-8000-000000000001', 'a walk'),
    (3, 3, 'b0b00000-0000-4000-8000-000000000002', 'bob writes'), (4, 2, 'b0b00000-0000-4000-8000-000000000002', 'bob on alice');
insert into closed_table values (1, 'nobody reads this');
insert into written_only values (1, 'first');
insert into some_columns values (1, 'shown', 'kept');
insert into hidden.secrets values (1, 'hidden');
insert into "odd table" values
    (1, 'say "hi"', 'a.b', 'a,b', '(x)', 'ü', 'all', 10, 'U', 'b\s', 'colon', '{"k.v": 1, "a b": {"c": 2}}'),
    (2, null, 'dot', 'none', ')', 'ï', 'some', 20, 'V', null, null, null);
insert into "odd, child" values (1, 1, 'one'), (2, 1, 'two'), (3, 2, 'three');
insert into "select" values (1, 'here', 1), (2, 'there', 3);
insert into "Снег" values ('белый', 1), ('мокрый', 2);
insert into "UpperCase" values (1, 'One'), (2, 'Two');
insert into second.cities values (1, 'Second Paris'), (2, 'Second Rome');
insert into second.shops values (1, 'Baker', 1, 'FR'), (2, 'Butcher', 1, 'IT'), (3, 'Florist', 2, null);
refresh materialized view country_sizes;

-- Grants --------------------------------------------------------------------------------------------------------------------

grant select, insert, update, delete on all tables in schema api, second to authenticated, service_role;
grant usage on all sequences in schema api to authenticated, service_role;
revoke all on closed_table, written_only, some_columns from authenticated;
grant insert on written_only to authenticated;
grant select (id, shown), insert (id, shown), update (shown) on some_columns to authenticated;
grant select on countries, cities, diary, labels to anon;
revoke execute on function closed_function() from public;
analyze;

-- Subscriptions of the demo user Alice, beside the expenses that everyone starts with.
insert into public.expenses (owner_id, spent_on, merchant, category, amount)
select 'a11ce000-0000-4000-8000-000000000001', current_date - 10 - n * interval '1 month', 'Film Club', 'leisure', 11.99
from generate_series(0, 7) as n;

insert into public.expenses (owner_id, spent_on, merchant, category, amount)
select 'a11ce000-0000-4000-8000-000000000001', current_date - 3 - n * 7, 'Swimming Pool', 'leisure', 4.50 + n % 2
from generate_series(0, 11) as n;

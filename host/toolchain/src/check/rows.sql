-- The rows of a check: the demo's tables, where every text says whose it is and of which table. Amounts of one user are far from those
-- of the other, and have enough digits to be told from other numbers.

delete from public.expenses;
delete from public.budgets;
delete from public.notes;

insert into public.notes (id, owner_id, title, body, created_at)
select md5('check-note' || who || n)::uuid, owner::uuid, 'mark_' || who || '_notes_' || word,
       'mark_' || who || '_notes_body_' || n || ' about the ' || word, '2026-04-02 10:00Z'::timestamptz + n * interval '1 day'
from (values ('alice', 'a11ce000-0000-4000-8000-000000000001'), ('bob', 'b0b00000-0000-4000-8000-000000000002')) as users (who, owner),
     (values (1, 'garden'), (2, 'safe'), (3, 'car'), (4, '100% _ \ quoted "words"')) as words (n, word)
where who = 'alice' or n < 4;

insert into public.expenses (id, owner_id, spent_on, merchant, category, amount, currency, note)
select md5('check-expense' || who || n)::uuid, owner::uuid, current_date - n * 4, 'mark_' || who || '_expenses_' || merchant,
       'mark_' || who || '_' || category, amount + case who when 'alice' then 21000.03 else 17000.07 end, currency, 'mark_' || who || '_expenses_note_' || n
from (values ('alice', 'a11ce000-0000-4000-8000-000000000001'), ('bob', 'b0b00000-0000-4000-8000-000000000002')) as users (who, owner),
     (values (0, 'grocer', 'food', 42.10, 'EUR'), (0, 'railways', 'travel', 89.00, 'EUR'), (1, 'books', 'books', 23.50, 'USD'),
             (8, 'grocer', 'food', 37.85, 'EUR'), (9, 'power', 'home', 64.20, 'EUR')) as spent (n, merchant, category, amount, currency)
where who = 'alice' or n < 9
on conflict (id) do nothing;

insert into public.budgets (owner_id, category, monthly_limit) values
    ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_food', 60060.61), ('a11ce000-0000-4000-8000-000000000001', 'mark_alice_travel', 90150.51),
    ('b0b00000-0000-4000-8000-000000000002', 'mark_bob_food', 30300.31);

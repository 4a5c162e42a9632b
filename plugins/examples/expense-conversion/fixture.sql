-- A month of two users in several currencies, beside the expenses that everyone starts with. Nobody knows a rate of XTS, which is the code
-- for tests.
insert into public.expenses (owner_id, spent_on, merchant, category, amount, currency) values
    ('a11ce000-0000-4000-8000-000000000001', '2025-03-01', 'Green Grocer', 'food', 40.00, 'EUR'),
    ('a11ce000-0000-4000-8000-000000000001', '2025-03-08', 'Corner Deli', 'food', 30.30, 'USD'),
    ('a11ce000-0000-4000-8000-000000000001', '2025-03-09', 'Museum', 'leisure', 2500.00, 'JPY'),
    ('a11ce000-0000-4000-8000-000000000001', '2025-03-31', 'Arcade', 'leisure', 7.00, 'XTS'),
    ('a11ce000-0000-4000-8000-000000000001', '2025-04-01', 'Green Grocer', 'food', 99.00, 'EUR'),
    ('b0b00000-0000-4000-8000-000000000002', '2025-03-15', 'mark_bob_expenses_pass', 'car', 120.00, 'CHF');

;; A sound component with nothing in it.
(component)
